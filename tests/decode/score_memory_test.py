"""What scoring needs is held against the compiler's own account, and refused before it where it does not fit."""

import functools

import jax
import pytest

from procsup_jax.decode import memory, rows, score
from procsup_jax.errors import UserError
from procsup_jax.models import api
from procsup_jax.types import Problem, Sample

PROBLEMS = [Problem("p", "Ann has 5 pens. Bob has 3 more. How many?", "8")]
SAMPLES = [Sample("p", i, f"Bob has {i} pens.\n#### {i}") for i in range(6)]


@pytest.mark.parametrize(
    "head", [None, api.ProductHead(), api.ClassifierHead()], ids=["policy", "product", "classifier"]
)
@pytest.mark.parametrize("number", [8, 64])
def test_the_plan_is_near_what_the_compiler_says(model, head, number):
    judge = model.with_head(head)
    documents = score._documents(judge, PROBLEMS, SAMPLES)
    shape = rows.shape_of(documents, 64, number)
    [part] = rows.parts_of(documents, 1, number)
    batch = rows.batch_of(documents, part._replace(shape=shape), 1)
    if head is None:
        program = functools.partial(score._token_logprobs.lower, judge.config)
    else:
        program = functools.partial(score.step_logits.lower, judge.config, head)
    found = program(judge.params, batch).compile().memory_analysis().temp_size_in_bytes
    planned = memory.tree_row_bytes(judge.config, head, shape)
    assert 0.5 * found < planned < 2.5 * found, planned / found


def test_a_batch_that_does_not_fit_is_refused_by_its_flag_with_one_that_does(model, monkeypatch):
    monkeypatch.setattr(score, "step_logits", lambda *args: pytest.fail("it was compiled"))
    judge = model.with_head(api.ProductHead())
    with pytest.raises(
        UserError, match=r"^scoring with --size=1000000000 needs .* available: set --size=\d+ \(.*less$"
    ):
        score.score_samples(judge, PROBLEMS, SAMPLES, batch_size=10**9, flag="--size")
    monkeypatch.setattr(memory, "available", lambda mesh: 1000)
    with pytest.raises(UserError, match="scoring with batch_size=4 needs .* available: take a smaller model"):
        score.score_samples(judge, PROBLEMS, SAMPLES, batch_size=4)


def test_logprobs_in_pieces_are_those_of_the_whole(model, monkeypatch):
    whole = score.step_logprobs(model, PROBLEMS, SAMPLES, batch_size=8)
    jax.clear_caches()
    monkeypatch.setattr(memory, "READ_LOGITS", 4 * model.config.vocab_size)
    again = score.step_logprobs(model, PROBLEMS, SAMPLES, batch_size=8)
    for a, b in zip(whole, again, strict=True):
        for x, y in zip(a, b, strict=True):
            assert (x == y).all() or abs(x - y).max() < 1e-5
    jax.clear_caches()
