import dataclasses
import re
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from procsup_jax.decode import generate, score
from procsup_jax.errors import UserError
from procsup_jax.searching import greedy
from procsup_jax.searching.step_search import StepSearchSettings, step_search
from procsup_jax.text.layout import LINES
from procsup_jax.types import Problem

PROBLEMS = [Problem(f"p{i}", "How many?"[i:] + " 5" * i, "1") for i in range(5)]
SETTINGS = StepSearchSettings(
    num_candidates=3, max_steps=3, max_step_tokens=6, max_new_tokens=14, calculator=False, lanes=2
)


def naive_search(naive_step, naive_prob, vocab, problem, settings, seed):
    """Search as documented, with no cache at all."""
    prompt = vocab.encode(LINES.prompt_text(problem.question))
    key = jax.random.fold_in(jax.random.key(seed), zlib.crc32(problem.uid.encode()))
    written, chosen_probs, considered, spent, read_len = [], [], [], 0, len(prompt)
    while len(chosen_probs) < settings.max_steps and len(written) + 1 < settings.max_new_tokens:
        limit = min(settings.max_step_tokens, settings.max_new_tokens - len(written))
        steps = [naive_step(prompt, written, limit, jax.random.fold_in(key, k)) for k in range(settings.num_candidates)]
        finals = [s[-1] == vocab.eos_id or vocab.encode("#### ")[0] in s for s in steps]
        spent += sum(map(len, steps))
        probs, distinct = [], set()
        for step, final in zip(steps, finals, strict=True):
            read = [*step[:-1], vocab.eos_id] if final else step
            probs.append(naive_prob(prompt, written + read) if vocab.decode(step).strip() else None)
            if probs[-1] is not None:
                distinct.add(tuple(read))
        read_len += sum(map(len, distinct))
        if all(p is None for p in probs):
            break
        best = max(range(len(steps)), key=lambda k: (-1 if probs[k] is None else probs[k], -k))
        written += steps[best]
        chosen_probs.append(probs[best])
        considered.append(probs)
        if finals[best]:
            break
    return vocab.decode(written[:-1]), chosen_probs, considered, len(written), spent, read_len


@pytest.mark.parametrize("num_candidates", [3, 20])
def test_equals_the_search_that_re_reads_everything(num_candidates, policy, rm, vocab, naive_step, naive_prob):
    # More candidates than the reward model reads at a time are read in several goes.
    settings = dataclasses.replace(SETTINGS, num_candidates=num_candidates)
    problems = PROBLEMS if num_candidates == 3 else PROBLEMS[:2]
    found = step_search(policy, rm, problems, settings, seed=3)
    ends, num_repeated = set(), 0
    for problem, got in zip(problems, found, strict=True):
        want = naive_search(naive_step, naive_prob, vocab, problem, settings, 3)
        solution, probs, considered, length, spent, read_len = want
        assert (got.sample.problem_uid, got.sample.solution) == (problem.uid, solution)
        assert (got.sample.tokens, got.policy_tokens, got.rm_tokens) == (length, spent, read_len)
        np.testing.assert_allclose(got.step_probs, probs, rtol=1e-4)
        for row, want in zip(got.candidate_probs, considered, strict=True):
            assert [p is None for p in row] == [p is None for p in want]
            np.testing.assert_allclose([p for p in row if p is not None], [p for p in want if p is not None], rtol=1e-4)
        ends.add(len(probs))
        num_repeated += len(vocab.encode(LINES.prompt_text(problem.question))) + spent - read_len
    assert len(ends) > 1 or num_candidates > 3
    assert num_repeated > 0


def test_results_depend_on_problem_and_seed_alone(policy, rm, vocab):
    base = step_search(policy, rm, PROBLEMS, SETTINGS, seed=3)
    for lanes, part in [(5, PROBLEMS), (2, PROBLEMS[3:0:-2])]:
        again = step_search(policy, rm, part, dataclasses.replace(SETTINGS, lanes=lanes), seed=3)
        wanted = {b.sample.problem_uid: b for b in base}
        for got, problem in zip(again, part, strict=True):
            want = wanted[problem.uid]
            assert (got.sample, got.policy_tokens) == (want.sample, want.policy_tokens)
            np.testing.assert_allclose(got.step_probs, want.step_probs, rtol=1e-5)
    other = step_search(policy, rm, PROBLEMS, SETTINGS, seed=4)
    assert [o.sample.solution for o in other] != [b.sample.solution for b in base]


def lowest(prob_nk, possible_nk):
    return jnp.argmin(jnp.where(possible_nk, prob_nk, 2.0), -1).astype(jnp.int32)


def test_choose_decides(policy, rm, vocab):
    for choose, pick in [(greedy.highest, max), (lowest, min)]:
        for found in step_search(policy, rm, PROBLEMS, SETTINGS, seed=3, choose=choose):
            wanted = [pick(p for p in row if p is not None) for row in found.candidate_probs]
            assert list(found.step_probs) == wanted


def test_with_one_candidate_it_is_plain_sampling(policy, rm, vocab):
    one = dataclasses.replace(SETTINGS, num_candidates=1, max_steps=99, max_step_tokens=14)
    sampling = generate.DecodeSettings(max_new_tokens=14, calculator=False)
    samples = generate.sample_problems(policy, PROBLEMS, sampling, seed=7)
    searched = step_search(policy, rm, PROBLEMS, one, seed=7)
    compared = set()
    for sample, found in zip(samples, searched, strict=True):
        lines = sample.solution.split("\n")
        blank = next((i for i, line in enumerate(lines) if not line.strip()), len(lines))
        if blank < len(lines) or sample.tokens < 14:  # at its limit the search puts a separator
            assert found.sample.solution == "\n".join(lines[:blank])
            compared.add(found.sample.solution)
    assert len(compared) >= 2


def test_step_probs_are_those_of_scoring_the_solution(policy, rm, vocab):
    found = [f for seed in range(8) for f in step_search(policy, rm, PROBLEMS, SETTINGS, seed=seed)]
    # Where a model writes lone bytes of a character, its text does not encode to the tokens it wrote.
    found = [f for f in found if re.fullmatch(r"[0-9+\-*/=# \n]+", f.sample.solution)]
    scored = score.score_samples(rm, PROBLEMS, [f.sample for f in found], batch_size=4)
    assert len(found) >= 5 and max(len(f.step_probs) for f in found) > 1
    for f, probs in zip(found, scored, strict=True):
        # A step that did not end the solution is read at its separator there, at eos here, if it is the last.
        np.testing.assert_allclose(f.step_probs[:-1], probs[:-1], rtol=1e-4)
        if "#### " in f.sample.solution:
            np.testing.assert_allclose(f.step_probs, probs, rtol=1e-4)


def test_errors_name_the_value_and_the_fix(policy, rm, vocab):
    with pytest.raises(UserError, match="'p0'.*max_new_tokens=90.*policy's max_len=96.*lower max_new_tokens"):
        step_search(policy, rm, PROBLEMS, dataclasses.replace(SETTINGS, max_new_tokens=90), seed=0)
    short = rm.replace(config=dataclasses.replace(rm.config, max_len=30))
    with pytest.raises(UserError, match="reward model's max_len=30"):
        step_search(policy, short, PROBLEMS, SETTINGS, seed=0)
    with pytest.raises(UserError, match="policy is no reward model, as its model.json names no head"):
        step_search(policy, policy, PROBLEMS, SETTINGS, seed=0)
    assert step_search(policy, rm, [], SETTINGS, seed=0) == []
