import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from procsup_jax.evals import verifier

CASES = st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.3, 0.9]), st.sampled_from([0.0, 0.5, 1.0])), max_size=25)


def auc(scores, right, problems=None):
    problems = np.arange(len(scores)) if problems is None else np.array(problems)
    return verifier.auc(np.array(scores, dtype=float), np.array(right, dtype=float), problems)


def by_pairs(scores, right):
    """Return the AUC by its definition, over all pairs."""
    won = total = 0.0
    for a, is_right in zip(scores, right, strict=True):
        for b, other_right in zip(scores, right, strict=True):
            weight = is_right * (1 - other_right)
            won, total = won + weight * ((a > b) + (a == b) / 2), total + weight
    return won / total if total else None


def test_auc_of_small_cases():
    assert auc([0.1, 0.9], [0, 1]).value == 1.0
    assert auc([0.9, 0.1], [0, 1]).value == 0.0
    assert auc([0.5, 0.5, 0.5], [0, 1, 1]).value == 0.5
    assert auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]).value == 0.75


@pytest.mark.parametrize(("scores", "right"), [([], []), ([0.3, 0.4], [1, 1]), ([0.3], [0])])
def test_auc_needs_both_kinds(scores, right):
    estimate = auc(scores, right)
    assert (estimate.value, estimate.interval, estimate.n) == (None, None, len(scores))


@hypothesis.given(CASES)
def test_auc_is_the_share_of_pairs_won(cases):
    scores, right = [score for score, _ in cases], [label for _, label in cases]
    estimate = auc(scores, right)
    expected = by_pairs(scores, right)
    assert estimate.value == (None if expected is None else pytest.approx(expected))
    if expected not in (None, 0.0, 1.0) and len(cases) > 1:
        assert 0 <= estimate.interval[0] <= estimate.value + 1e-12
        assert estimate.value - 1e-12 <= estimate.interval[1] <= 1


def test_a_split_case_counts_as_one_of_each():
    split = auc([0.2, 0.6, 0.6], [0, 1, 0.5])
    assert split.value == pytest.approx(by_pairs([0.2, 0.6, 0.6], [0, 1, 0.5]))


def test_the_interval_is_delongs_where_cases_are_problems_of_their_own():
    rng = np.random.default_rng(0)
    right = np.arange(400) % 2
    scores = right + rng.normal(size=400)
    estimate = auc(scores, right)
    high, low = scores[right == 1], scores[right == 0]
    wins = high[:, None] > low[None, :]
    variance = wins.mean(1).var(ddof=1) / len(high) + wins.mean(0).var(ddof=1) / len(low)
    half = 1.959964 * np.sqrt(variance)
    assert estimate.interval == pytest.approx((estimate.value - half, estimate.value + half), abs=2e-4)


def test_copies_within_a_problem_add_no_certainty():
    rng = np.random.default_rng(1)
    right = np.arange(60) % 2
    scores = right + rng.normal(size=60)
    once = auc(scores, right)
    copied = auc(np.repeat(scores, 5), np.repeat(right, 5), np.repeat(np.arange(60), 5))
    assert copied.value == pytest.approx(once.value)
    assert copied.interval == pytest.approx(once.interval)
    taken_for_independent = auc(np.repeat(scores, 5), np.repeat(right, 5))
    assert np.diff(taken_for_independent.interval)[0] < 0.5 * np.diff(once.interval)[0]


def test_one_problem_has_no_interval():
    estimate = auc([0.1, 0.5, 0.4, 0.9], [0, 0, 1, 1], [7, 7, 7, 7])
    assert (estimate.value, estimate.interval) == (0.75, None)


def test_perfect_separation_has_no_interval():
    assert auc([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]).interval is None


def test_brier_score():
    assert verifier.brier(np.array([1.0, 0.5]), np.array([1.0, 0.0])) == 0.125
    assert verifier.brier(np.array([0.25]), np.array([0.5])) == pytest.approx((0.75**2 + 0.25**2) / 2)
    assert verifier.brier(np.zeros(0), np.zeros(0)) is None


def test_calibration_error_weighs_bins_by_their_cases():
    prob_n, right_n = np.array([0.95, 0.95, 0.95, 0.15]), np.array([1.0, 1.0, 0.0, 0.0])
    assert verifier.calibration_error(prob_n, right_n) == pytest.approx((3 * abs(0.95 - 2 / 3) + 0.15) / 4)
    assert verifier.calibration_error(np.array([1.0, 0.0]), np.array([1.0, 0.0])) == 0.0
    assert verifier.calibration_error(np.zeros(0), np.zeros(0)) is None
