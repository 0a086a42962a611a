import math

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from procsup_jax.evals import intervals

NAN = float("nan")
VALUES = st.lists(st.sampled_from([0.0, 0.5, 1.0, NAN]), min_size=1, max_size=30).map(np.array)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"), [(0, 10, 0.0, 0.2775), (8, 10, 0.4902, 0.9433), (10, 10, 0.7225, 1.0)]
)
def test_wilson_of_published_cases(successes, n, low, high):
    assert intervals.wilson(successes / n, n) == pytest.approx((low, high), abs=5e-5)


def test_nothing_measured_has_no_interval():
    assert intervals.wilson(None, 0) is None
    assert intervals.proportion(np.array([])) == intervals.Estimate(None, None, 0)
    assert intervals.proportion(np.array([NAN, NAN])) == intervals.Estimate(None, None, 0)


def test_a_proportion_leaves_nan_out():
    estimate = intervals.proportion(np.array([1.0, NAN, 0.0, 0.0, NAN, 0.0]))
    assert (estimate.value, estimate.n) == (0.25, 4)
    assert estimate.interval == intervals.wilson(0.25, 4)


@hypothesis.given(st.integers(1, 500), st.floats(0, 1))
def test_wilson_inverts_the_score_test(n, share):
    low, high = intervals.wilson(share, n)
    assert 0 <= low <= share <= high <= 1
    for end in (low, high):
        if 1e-9 < end < 1 - 1e-9 and abs(end - share) > 1e-9:
            assert abs(share - end) / math.sqrt(end * (1 - end) / n) == pytest.approx(1.959964, rel=1e-5)


def test_the_mean_of_problems_is_weighted():
    estimate = intervals.bootstrap_mean(np.array([0.5, 1.0, NAN]), np.array([2.0, 6.0, 0.0]), seed=0)
    assert (estimate.value, estimate.n) == (0.875, 2)
    assert estimate.interval == (0.5, 1.0)
    assert intervals.bootstrap_mean(np.zeros(3), np.zeros(3), seed=0) == intervals.Estimate(None, None, 0)
    assert intervals.bootstrap_mean(np.zeros(0), np.zeros(0), seed=0) == intervals.Estimate(None, None, 0)


def test_the_bootstrap_interval_of_a_share_is_near_wilsons():
    errors_b = np.repeat([1.0, 0.0], [60, 240])
    estimate = intervals.bootstrap_mean(errors_b, np.ones(300), seed=0)
    assert estimate.interval == pytest.approx(intervals.wilson(0.2, 300), abs=0.01)


def test_a_difference_is_that_of_means_over_each_sides_problems():
    a_b, b_b = np.array([1.0, 0.0, NAN, 1.0]), np.array([0.0, NAN, NAN, 0.0])
    estimate = intervals.paired_difference(a_b, b_b, seed=0)
    assert estimate.value == pytest.approx(2 / 3)
    assert estimate.n == 3


def test_pairing_takes_out_what_both_sides_share():
    rng = np.random.default_rng(0)
    b_b = (rng.random(400) < 0.5).astype(float)
    a_b = b_b.copy()
    a_b[np.flatnonzero(b_b)[:20]] = 0.0
    paired = intervals.paired_difference(a_b, b_b, seed=0)
    unpaired = intervals.paired_difference(rng.permutation(a_b), b_b, seed=0)
    assert paired.value == unpaired.value == pytest.approx(-0.05)
    assert paired.interval[1] < 0 < unpaired.interval[1]


def test_the_bootstrap_is_seeded():
    a_b, b_b = np.arange(20) % 2.0, np.arange(20) % 3 / 2
    first = intervals.paired_difference(a_b, b_b, seed=1)
    assert intervals.paired_difference(a_b, b_b, seed=1) == first
    assert intervals.paired_difference(a_b, b_b, seed=2).interval != first.interval


def test_a_side_without_problems_has_no_difference():
    estimate = intervals.paired_difference(np.array([NAN, NAN]), np.array([1.0, 0.0]), seed=0)
    assert estimate == intervals.Estimate(None, None, 2)
    assert intervals.paired_difference(np.zeros(0), np.zeros(0), seed=0) == intervals.Estimate(None, None, 0)
    with pytest.raises(ValueError, match="2 and 3 problems"):
        intervals.paired_difference(np.zeros(2), np.zeros(3), seed=0)


@hypothesis.given(VALUES)
def test_nothing_differs_from_itself(values_b):
    estimate = intervals.paired_difference(values_b, values_b, seed=0)
    if np.isnan(values_b).all():
        assert estimate.value is None
    else:
        assert estimate.value == 0.0
        assert estimate.interval == (0.0, 0.0)


@hypothesis.given(VALUES, st.data())
def test_a_difference_turned_round_changes_its_sign(a_b, data):
    b_b = np.array(data.draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=len(a_b), max_size=len(a_b))))
    there, back = intervals.paired_difference(a_b, b_b, seed=3), intervals.paired_difference(b_b, a_b, seed=3)
    if there.value is not None:
        assert there.value == pytest.approx(-back.value)
        assert there.interval == pytest.approx((-back.interval[1], -back.interval[0]))


def test_runs_have_students_interval():
    estimate = intervals.over_runs([0.1, None, 0.2, 0.3])
    assert estimate.value == pytest.approx(0.2)
    assert estimate.n == 3
    half = 4.302653 * 0.1 / math.sqrt(3)  # t quantile of 2 degrees of freedom
    assert estimate.interval == pytest.approx((0.2 - half, 0.2 + half), rel=1e-5)


def test_few_runs():
    assert intervals.over_runs([0.25]) == intervals.Estimate(0.25, None, 1)
    assert intervals.over_runs([None]) == intervals.Estimate(None, None, 0)


def test_intervals_stand_beside_their_values():
    found = intervals.with_intervals(
        {"a": intervals.Estimate(0.5, (0.4, 0.6), 9), "b": intervals.Estimate(None, None, 0)}
    )
    assert found == {"a": 0.5, "b": None, "intervals": {"a": [0.4, 0.6], "b": None}}


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_where_no_problem_varies_a_mean_is_still_uncertain(share):
    found = intervals.mean_over_problems(np.full(20, share), np.full(20, 8.0), seed=0)
    assert (found.value, found.interval, found.n) == (share, intervals.wilson(share, 20), 20)


def test_where_problems_vary_a_mean_has_its_bootstrap():
    values_b, weights_b = np.array([0.0, 0.5, 1.0, 0.25]), np.ones(4)
    assert intervals.mean_over_problems(values_b, weights_b, seed=1) == intervals.bootstrap_mean(
        values_b, weights_b, seed=1
    )
    assert intervals.mean_over_problems(values_b, np.zeros(4), seed=1) == intervals.Estimate(None, None, 0)
