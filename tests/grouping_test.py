import pytest

from procsup_jax import grouping
from procsup_jax.errors import UserError
from procsup_jax.types import Problem, Sample, Score

SAMPLES = [Sample("b", 1, "y"), Sample("a", 0, "x"), Sample("b", 0, "z"), Sample("b", 0, "g", decoding="greedy")]


def test_samples_are_grouped_by_problem_and_sorted_by_index():
    drawn = grouping.drawn(SAMPLES)
    assert drawn == SAMPLES[:3]
    groups = grouping.by_problem(drawn)
    assert list(groups) == ["b", "a"]
    assert groups["b"] == [SAMPLES[2], SAMPLES[0]]


def test_records_are_found_by_their_key():
    scores = [Score("b", 0, (), 0.0, "last"), Score("b", 0, (), 1.0, "last", decoding="greedy")]
    assert grouping.by_key(scores)[SAMPLES[3].key] is scores[1]
    assert len(grouping.by_key(SAMPLES)) == 4


def test_a_sample_of_an_unknown_problem_is_one_clear_line():
    problems = grouping.by_uid([Problem("a", "?", "1")])
    assert grouping.problem_of(problems, SAMPLES[1]).answer == "1"
    with pytest.raises(UserError, match="sample 1 is of problem 'b', which is not among the 1 problems; give the file"):
        grouping.problem_of(problems, SAMPLES[0])
