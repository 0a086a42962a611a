import math

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from procsup_jax.errors import UserError
from procsup_jax.searching.aggregate import AGGREGATES, aggregate, with_aggregate
from procsup_jax.types import Score

PROBS = st.lists(st.floats(0, 1), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("how", "expected"),
    [("last", 0.25), ("min", 0.25), ("prod", 0.5 * 1.0 * 0.25), ("mean", 1.75 / 3), ("per_step", 0.25 ** (1 / 3))],
)
def test_each_rule(how, expected):
    assert aggregate([0.5, 1.0, 0.25], how) == expected


def test_last_is_the_default_and_is_not_the_minimum():
    assert aggregate([0.1, 0.9]) == 0.9


@pytest.mark.parametrize("how", AGGREGATES)
def test_a_solution_without_steps_scores_lowest(how):
    assert aggregate([], how) == 0.0
    assert aggregate(np.array([]), how) == 0.0


@pytest.mark.parametrize("how", AGGREGATES)
def test_arrays_give_plain_floats(how):
    score = aggregate(np.array([0.5, 0.75], dtype=np.float32), how)
    assert type(score) is float
    assert score == aggregate([0.5, 0.75], how)


def test_an_unknown_rule_is_named_with_the_known_ones():
    with pytest.raises(UserError, match="'median', expected one of last, min, prod, mean, per_step"):
        aggregate([0.5], "median")


@hypothesis.given(PROBS)
def test_rules_are_ordered_and_stay_probabilities(probs):
    prod, least, mean = (aggregate(probs, how) for how in ("prod", "min", "mean"))
    assert 0 <= prod <= least <= max(probs)
    assert least - 1e-12 <= mean <= max(probs) + 1e-12


@hypothesis.given(PROBS, st.randoms(use_true_random=False))
def test_only_last_depends_on_the_order_of_steps(probs, rng):
    shuffled = rng.sample(probs, len(probs))
    assert aggregate(shuffled, "min") == aggregate(probs, "min")
    assert aggregate(shuffled, "mean") == aggregate(probs, "mean")
    assert math.isclose(aggregate(shuffled, "prod"), aggregate(probs, "prod"), rel_tol=1e-12, abs_tol=1e-300)
    assert aggregate(probs, "last") == probs[-1]


@hypothesis.given(st.floats(0.01, 1), st.integers(1, 8), st.integers(1, 8))
def test_per_step_does_not_depend_on_how_many_equal_steps_a_product_has(kept, fewer, more):
    short, long = ([kept**i for i in range(1, num + 1)] for num in (fewer, more))
    assert math.isclose(aggregate(short, "per_step"), aggregate(long, "per_step"), rel_tol=1e-9)


@pytest.mark.parametrize("how", AGGREGATES)
def test_scores_under_another_rule_keep_all_else(how):
    scores = [Score("a", 1, (0.5, 0.25), 0.25, "last", "orm", {"note": 1}), Score("b", 0, (), 0.0, "last")]
    assert with_aggregate(scores, how) == [
        Score("a", 1, (0.5, 0.25), aggregate((0.5, 0.25), how), how, "orm", {"note": 1}),
        Score("b", 0, (), 0.0, how),
    ]
