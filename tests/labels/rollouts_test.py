"""Rollout labels: what completions of a policy after each step make of it."""

import dataclasses

import pytest
import small_models

from procsup_jax.decode.generate import Prompt, generate, sample_problems
from procsup_jax.decode.settings import DecodeSettings
from procsup_jax.errors import UserError
from procsup_jax.labels import rollouts
from procsup_jax.labels.rollouts import Rollouts
from procsup_jax.labels.settings import RolloutSettings
from procsup_jax.text import answers
from procsup_jax.text.steps import split_steps
from procsup_jax.types import Problem, Sample

DECODE = DecodeSettings(max_new_tokens=64, lanes=2, slots=2)
PROBLEMS = [Problem("a", "How many?", "8"), Problem("b", "Why?", "14")]


@pytest.fixture(scope="module")
def model(bpe_folder):
    """Return a policy whose tokens now and then hold the end of one step and the beginning of the next."""
    return small_models.writer(bpe_folder, "paragraphs", max_len=240)


@pytest.fixture(scope="module")
def samples(model):
    return sample_problems(model, PROBLEMS, dataclasses.replace(DECODE, num_samples=4), seed=5)


@pytest.fixture(scope="module")
def problems(samples):
    """Return the problems with an answer that the policy gives now and then."""
    found = [sample.answer for sample in samples if sample.answer]
    return [dataclasses.replace(problem, answer=max(found, key=found.count)) for problem in PROBLEMS]


@pytest.fixture(scope="module")
def soft(model, problems, samples):
    return label(model, problems, samples)


def label(model, problems, samples, decode=DECODE, **settings):
    return Rollouts(model, RolloutSettings(**{"num_rollouts": 4, **settings}), decode, seed=1).label(problems, samples)


def test_a_steps_value_is_the_share_of_completions_that_reach_the_answer(model, problems, samples, soft):
    encoding, separator, by_uid = model.encoding, model.layout.separator, {each.uid: each for each in problems}
    prompts, cases = [], []
    for sample, labels in zip(samples, soft, strict=True):
        problem, steps, read = (
            by_uid[sample.problem_uid],
            split_steps(sample.solution, separator),
            encoding.sample(sample),
        )
        assert labels.num_steps == len(labels.steps) == len(steps)
        assert labels.steps[-1] == answers.same_answer(sample.answer, problem.answer)
        for i, value in enumerate(labels.steps[:-1]):
            before = separator.join(steps[: i + 1]) + separator
            written = read.tokens[: read.ends[i] + 1]
            is_cut_there = b"".join(encoding.token_bytes[token] for token in written) == before.encode()
            if labels.extra["rollouts"][i] and is_cut_there:
                prompts.append(Prompt(rollouts._uid(sample, i), [*encoding.prompt_ids(problem.question), *written]))
                cases.append((value, before, problem.answer))
    continued = generate(model, prompts, dataclasses.replace(DECODE, num_samples=4), seed=1)
    for drawn, (value, before, answer) in zip(continued, cases, strict=True):
        wrote = [before + encoding.written(each.tokens, each.stopped)[0] for each in drawn]
        assert value == sum(answers.same_answer(answers.extract_answer(text), answer) for text in wrote) / 4
    assert len(cases) > 3 and any(0 < value < 1 for value, _, _ in cases)


def test_hard_labels_are_right_where_any_completion_is(model, problems, samples, soft):
    for a, b in zip(soft, label(model, problems, samples, estimate="hard"), strict=True):
        assert b.steps == tuple(float(value > 0) for value in a.steps)
        assert a.extra == b.extra


def test_labels_depend_on_no_other_sample_and_no_batch_size(model, problems, samples, soft):
    one_by_one = dataclasses.replace(DECODE, lanes=1, slots=1)
    assert label(model, problems[::-1], samples[::-1], one_by_one)[::-1] == soft
    assert label(model, problems, samples[2:4]) == soft[2:4]


def test_what_has_nothing_after_it_is_as_right_as_its_answer(model):
    written = (("\\boxed{8}\n\nso\n\n\\boxed{9}", "9"), ("", None), ("\\boxed{8}", "8"))
    samples = [Sample("a", i, *each) for i, each in enumerate(written)]
    found = label(model, PROBLEMS, samples)
    assert [each.steps for each in found] == [(1.0, 1.0, 0.0), None, (1.0,)]
    assert [each.first_error for each in found] == [2, 0, -1]
    assert [each.trace_correct for each in found] == [False, False, True]
    assert found[0].extra == {"rollouts": [0, 0, 0], "rollout_tokens": 0}


def test_where_no_completion_fits_nothing_is_known(model):
    room = model.config.max_len - len(model.encoding.prompt_ids("How many?")) - DECODE.max_new_tokens
    sample = Sample("a", 0, model.layout.separator.join(("9", "8 " * room, "7", "6")), None)
    [found] = label(model, PROBLEMS, [sample])
    assert found.extra["rollouts"] == [4, 0, 0, 0]
    assert found.steps[1:] == (None, None, 0.0) and found.first_error == (0 if found.steps[0] < 0.5 else None)


def test_what_is_no_policy_or_no_sample_of_the_problems_is_refused(model, samples):
    with pytest.raises(UserError, match="reward model"):
        label(small_models.judge(model), PROBLEMS, samples)
    with pytest.raises(UserError, match="'x', which is not among the 2 problems"):
        label(model, PROBLEMS, [Sample("x", 0, "1\n#### 2")])
