import jax
import jax.numpy as jnp
import numpy as np
import pytest

from procsup_jax.decode import score
from procsup_jax.errors import UserError
from procsup_jax.models import api
from procsup_jax.types import Problem, Sample

PROBLEMS = [Problem("a", "Ann has 5 apples. How many?", "5"), Problem("b", "Bob?", "7")]
SOLUTIONS = ["Ann: 5 + 3 = 8\n\n8 apples\n#### 8", "#### 5", "", "5\n#### 8"]
SAMPLES = [Sample(p.uid, i, s) for p in PROBLEMS for i, s in enumerate(SOLUTIONS)]


@pytest.fixture(scope="module")
def judge(model):
    return model.with_head(api.VerdictHead(*model.encoding.verdict_ids()))


@pytest.fixture(scope="module")
def probs(judge):
    return score.score_samples(judge, PROBLEMS, SAMPLES, batch_size=3)


_logits_of = jax.jit(api.rm_logits, static_argnums=(0, 1))


def _rm_logits(judge, *arrays):
    return _logits_of(judge.config, judge.head, judge.params, *arrays)


@jax.jit(static_argnums=0)
def _all_logits(config, params, tokens_1l, length):
    positions = jnp.arange(tokens_1l.shape[1])[None]
    hidden = api.hidden(config, params, tokens_1l, positions, (positions < length).astype(jnp.int32))
    return api.unembed(config, params, hidden[0])


def next_logits(model, tokens):
    padded = np.zeros((1, 96), np.int32)
    padded[0, : len(tokens)] = tokens
    return _all_logits(model.config, model.params, padded, len(tokens))[len(tokens) - 1]


def test_reads_the_reward_model_at_each_step_end(model, vocab, probs):
    prompt = "Question: Ann has 5 apples. How many?\nSolution:\n"
    for text, ending, place in [
        (prompt + "Ann: 5 + 3 = 8\n\n", [], 0),
        (prompt + "Ann: 5 + 3 = 8\n\n8 apples\n", [], 1),
        (prompt + SOLUTIONS[0], [vocab.eos_id], 2),
    ]:
        logits = next_logits(model, vocab.encode(text) + ending)
        want = jax.nn.sigmoid(logits[vocab.correct_id] - logits[vocab.incorrect_id])
        np.testing.assert_allclose(probs[0][place], want, rtol=1e-5)
    assert [len(p) for p in probs] == [3, 1, 0, 2] * 2
    assert len({float(x) for p in probs for x in p}) > 8


def with_random_head(model, head):
    """Return a model with a head whose every parameter matters, small enough that probabilities stay apart."""
    judge, rng = model.with_head(head), np.random.default_rng(0)
    scale = 0.0003 if head.kind == "product" else 0.1
    own = jax.tree.map(lambda a: np.float32(scale * rng.standard_normal(a.shape)), judge.params.get("head"))
    return judge.replace(params=judge.params | {"head": own}) if "head" in judge.params else judge


def test_a_product_reads_the_solution_alone(model, vocab):
    head = api.ProductHead()
    judge = with_random_head(model, head)
    found = score.score_samples(judge, PROBLEMS, SAMPLES, batch_size=3)[0]
    prompt = vocab.encode("Question: Ann has 5 apples. How many?\nSolution:\n")
    tokens = [*prompt, *vocab.encode(SOLUTIONS[0]), vocab.eos_id]
    places = np.arange(len(tokens))[None]
    solution = (places >= len(prompt)) * 1
    logits_l = _rm_logits(judge, np.array([tokens]), places, np.ones_like(places), solution)[0]
    ends = [i for i in range(len(prompt), len(tokens)) if tokens[i] in (vocab.sep_id, vocab.eos_id)]
    # The first step ends in an empty line.
    np.testing.assert_allclose(found, jax.nn.sigmoid(logits_l[np.array(ends[1:])]), rtol=1e-4)
    assert (np.diff(found) < 0).all()


def test_does_not_depend_on_batch_size_order_or_company(judge, probs):
    again = score.score_samples(judge, PROBLEMS, SAMPLES, batch_size=8)
    for got, want in zip(again, probs, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5)
    backwards = score.score_samples(judge, PROBLEMS, SAMPLES[::-1], batch_size=3)
    for got, want in zip(backwards, probs[::-1], strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5)
    [alone] = score.score_samples(judge, PROBLEMS[1:], SAMPLES[-1:], batch_size=3)
    np.testing.assert_allclose(alone, probs[-1], rtol=1e-5)


@pytest.mark.parametrize("kind", ["verdict", "product", "classifier"])
@pytest.mark.parametrize("batch_size", [2, 16])
def test_is_the_reward_model_on_one_row_a_sample(model, kind, batch_size):
    head = api.make_head(kind, model.encoding.verdict_ids)
    judge = with_random_head(model, head)
    problems = [*PROBLEMS, Problem("long", "Ann has 5 apples and Bob 12. " * 6, "1"), Problem("none", "Why?", "1")]
    texts = [*SOLUTIONS, "Bob: 12 - 7 = 5\n" * 8 + "#### 5", "7", "#### 5", "8\n9\n#### 1"]
    samples = [Sample(p.uid, i, text) for p in problems[:3] for i, text in enumerate(texts)]
    samples += [Sample("none", 0, ""), Sample("none", 1, "")]
    found = score.score_samples(judge, problems, samples[::-1], batch_size=batch_size)[::-1]
    questions = {p.uid: p.question for p in problems}
    for sample, probs_s in zip(samples, found, strict=True):
        prompt = model.encoding.prompt_ids(questions[sample.problem_uid])
        tokens, ends = model.encoding.solution(sample.solution)
        want = _packed_logits(judge, prompt, tokens)[len(prompt) + np.array(ends, int)]
        np.testing.assert_allclose(probs_s, jax.nn.sigmoid(want), rtol=1e-4, atol=1e-7)


def _packed_logits(judge, prompt, solution):
    places, tokens = np.arange(256)[None], np.zeros((1, 256), np.int32)
    total = len(prompt) + len(solution)
    tokens[0, :total] = [*prompt, *solution]
    real = (places < total).astype(np.int32)
    return np.asarray(_rm_logits(judge, tokens, places, real, real * (places >= len(prompt))))[0]


def test_reads_each_different_solution_once_and_each_prompt_once_a_batch(judge, monkeypatch):
    planted, plant = [], api.plant
    monkeypatch.setattr(api, "plant", lambda shape, *documents: planted.append(documents) or plant(shape, *documents))
    samples = [*SAMPLES, Sample("a", 9, SOLUTIONS[0]), *(Sample("b", 10 + i, "7 + " * i) for i in range(1, 6))]
    score.score_samples(judge, PROBLEMS, samples, batch_size=64)
    assert sum(len(branches) for _, branches in planted) == 11
    [prompts] = [prompts for prompts, _ in planted]
    assert len(prompts) == 2
    planted.clear()
    score.score_samples(judge, PROBLEMS, samples, batch_size=4)
    assert sum(len(branches) for _, branches in planted) == 11
    assert max(len(branches) for _, branches in planted) == 4


def test_other_solutions_are_read_in_the_same_few_shapes(judge, monkeypatch):
    shapes, plant = set(), api.plant
    monkeypatch.setattr(api, "plant", lambda shape, *documents: shapes.add(shape) or plant(shape, *documents))
    for first in range(4):
        lengths = range(first + 2, 20, 3)
        samples = [Sample(p.uid, i, "7 + " * n + str(first)) for p in PROBLEMS for i, n in enumerate(lengths)]
        score.score_samples(judge, PROBLEMS, samples, batch_size=8)
    assert len({shape._replace(num_tokens=0) for shape in shapes}) == len({shape.branch_len for shape in shapes}) <= 3


def test_equal_solutions_get_equal_arrays_of_their_own(judge, probs):
    twice = [SAMPLES[0], SAMPLES[3], Sample("a", 9, SOLUTIONS[0])]
    first, _, second = score.score_samples(judge, PROBLEMS, twice, batch_size=3)
    np.testing.assert_array_equal(first, second)
    first[:] = 0
    np.testing.assert_allclose(second, probs[0], rtol=1e-5)


def test_errors_name_problem_sample_and_lengths(judge):
    run = lambda samples: score.score_samples(judge, PROBLEMS, samples, batch_size=2)  # noqa: E731
    with pytest.raises(UserError, match="sample 4 of problem 'b': a prompt of .* solution of .* max_len=256.*leave"):
        run([Sample("b", 4, "7 + " * 120)])
    with pytest.raises(UserError, match="sample 0 is of problem 'c', which is not among the 2 problems"):
        run([Sample("c", 0, "x")])
    with pytest.raises(UserError, match="batch_size=0"):
        score.score_samples(judge, PROBLEMS, [], batch_size=0)
    assert run([]) == []


def test_step_logprobs_are_those_of_each_token_after_all_before_it(model, vocab):
    found = score.step_logprobs(model, PROBLEMS, SAMPLES, batch_size=3)
    tokens = vocab.encode("Question: Ann has 5 apples. How many?\nSolution:\n")
    for text, ending, place in [("Ann: 5 + 3 = 8\n\n", [], 0), ("8 apples\n", [], 1), ("#### 8", [vocab.eos_id], 2)]:
        step = vocab.encode(text) + ending
        want = []
        for token in step:
            want.append(jax.nn.log_softmax(next_logits(model, tokens))[token])
            tokens = [*tokens, token]
        np.testing.assert_allclose(found[0][place], want, rtol=1e-4, atol=1e-5)
    assert [len(steps) for steps in found] == [3, 1, 0, 2] * 2
    again = score.step_logprobs(model, PROBLEMS, SAMPLES[::-1], batch_size=8)[::-1]
    for got, expected in zip(again, found, strict=True):
        np.testing.assert_allclose(np.concatenate([*got, []]), np.concatenate([*expected, []]), rtol=1e-4)


def test_probabilities_of_extreme_logits_are_certain_and_no_warning():
    probs = score._sigmoid(np.array([-2000.0, -1.0, 0.0, 2000.0], np.float32))
    np.testing.assert_allclose(probs, [0.0, 0.26894142, 0.5, 1.0], rtol=1e-6)
