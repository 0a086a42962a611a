import dataclasses

import pytest

from procsup_jax import records
from procsup_jax.errors import UserError
from procsup_jax.searching import decodings
from procsup_jax.types import Sample

SAMPLE = Sample("p", 3, "one\n#### 1", "1", extra={"note": "kept"})
WRITTEN = tuple(filter(decodings.writes, decodings.in_order(["orm", "prm", "my_own-rm.v2"])))


def test_the_decodings_of_judges_in_the_order_of_tables():
    assert decodings.in_order(["orm", "prm"]) == (
        "greedy", "majority", "orm_weighted", "prm_weighted", "orm_best", "prm_best", "orm_step", "prm_step",
        "orm_beam", "prm_beam", "orm_puct", "prm_puct",
    )  # fmt: skip
    assert WRITTEN[:2] == ("greedy", "orm_step") and len(WRITTEN) == 10


def test_a_decoding_knows_its_judge():
    assert [decodings.judge_of(name) for name in ("greedy", "majority", "a_b_best", "orm_puct", "_step")] == [
        None, None, "a_b", "orm", None,
    ]  # fmt: skip


@pytest.mark.parametrize("decoding", WRITTEN)
def test_marked_solutions_keep_their_decoding_through_a_file(decoding, tmp_path):
    path = tmp_path / "samples.jsonl"
    zeroth = dataclasses.replace(SAMPLE, sample=0)
    records.write_samples(path, [zeroth, decodings.mark(SAMPLE, decoding)])
    drawn, marked = records.read_samples(path)
    assert (drawn.decoding, marked.decoding) == (None, decoding)
    assert marked == dataclasses.replace(SAMPLE, sample=0, decoding=decoding)
    assert drawn.key != marked.key


@pytest.mark.parametrize("decoding", ["beam", "majority", "orm_weighted", "_step", "7"])
def test_unknown_decodings_are_refused(decoding):
    with pytest.raises(UserError, match=f"decoding '{decoding}', expected greedy, JUDGE_step, JUDGE_beam, JUDGE_puct"):
        decodings.mark(SAMPLE, decoding)
    with pytest.raises(UserError, match="sample 3 of problem 'p' has decoding"):
        decodings.check(dataclasses.replace(SAMPLE, decoding=decoding))
