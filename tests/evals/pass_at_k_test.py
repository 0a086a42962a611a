"""pass@k against all choices of k samples, and over problems."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procsup_jax.evals import pass_at_k
from procsup_jax.evals.join import join
from procsup_jax.types import Problem, Sample


@given(st.integers(1, 7).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_it_is_the_share_of_choices_that_hold_a_right_sample(drawn):
    n, right, k = drawn
    choices = list(itertools.combinations([i < right for i in range(n)], k))
    assert pass_at_k.probability(n, right, k) == pytest.approx(sum(map(any, choices)) / len(choices))


@pytest.mark.parametrize(("n", "right", "k"), [(3, 1, 0), (3, 1, 4), (3, 4, 1)])
def test_more_samples_than_there_are_is_an_error(n, right, k):
    with pytest.raises(ValueError, match=f"k={k} of {n} samples"):
        pass_at_k.probability(n, right, k)


def test_it_is_measured_over_problems_for_powers_of_two_and_all():
    problems = [Problem(uid, "?", "1") for uid in "ab"]
    rows = {"a": ["1", "2", "2", "2", None, "2"], "b": ["2"] * 6}
    samples = [Sample(uid, i, "s", answer) for uid, row in rows.items() for i, answer in enumerate(row)]
    found = pass_at_k.measure(join(problems, samples, {}, ()))
    assert list(found) == ["1", "2", "4", "6"]
    assert [each["value"] for each in found.values()] == pytest.approx([1 / 12, 1 / 6, 1 / 3, 1 / 2])
    assert found["6"]["interval"] == [0, 1] and found["6"]["n"] == 2


def test_without_drawn_samples_there_is_nothing_to_measure():
    joined = join([Problem("a", "?", "1")], [Sample("a", 0, "s", "1", decoding="greedy")], {}, ())
    assert pass_at_k.measure(joined) == {}
