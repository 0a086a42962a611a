import dataclasses

import pytest

from procsup_jax import records
from procsup_jax.errors import UserError
from procsup_jax.search import decodings
from procsup_jax.types import Sample

SAMPLE = Sample("p", 3, "one\n#### 1", "1", extra={"note": "kept"})


@pytest.mark.parametrize("decoding", decodings.SAMPLE_INDEX)
def test_marked_solutions_keep_their_decoding_through_a_file(decoding, tmp_path):
    path = tmp_path / "samples.jsonl"
    records.write_samples(path, [SAMPLE, decodings.mark(SAMPLE, decoding)])
    drawn, marked = records.read_samples(path)
    assert decodings.decoding_of(drawn) is None
    assert decodings.decoding_of(marked) == decoding
    assert marked.extra["note"] == "kept"
    assert marked.solution == SAMPLE.solution


def test_all_decodings_of_a_problem_have_keys_of_their_own():
    samples = [SAMPLE, *(decodings.mark(SAMPLE, name) for name in decodings.SAMPLE_INDEX)]
    assert len({sample.key for sample in samples}) == len(samples)


def test_a_searched_solution_says_what_it_cost():
    found = decodings.with_tokens(SAMPLE, 7, 9)
    assert dict(found.extra) == {"note": "kept", "policy_tokens": 7, "rm_tokens": 9}


def test_unknown_decodings_are_refused():
    with pytest.raises(UserError, match="decoding 'beam', expected one of greedy, prm_step, orm_step"):
        decodings.mark(SAMPLE, "beam")
    with pytest.raises(UserError, match="sample 3 of problem 'p' has decoding 7"):
        decodings.decoding_of(dataclasses.replace(SAMPLE, extra={"decoding": 7}))
