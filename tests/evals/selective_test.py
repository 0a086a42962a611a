import itertools
import math

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from procsup_jax.evals import intervals
from procsup_jax.evals.selective import ABSTAINED, selective

NAN = float("nan")
ROWS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.5, 1.0, NAN]), st.sampled_from([0.1, 0.2, 0.3])), min_size=1, max_size=6
)


def by_orders(errors, scores, share):
    """Return the mean error over all orders of the problems, those in which nothing counts left out."""
    found = []
    for order in itertools.permutations(range(len(errors))):
        kept = sorted(order, key=lambda i: scores[i])[round(share * len(errors)) :]
        counted = [errors[i] for i in kept if not math.isnan(errors[i])]
        found += [sum(counted) / len(counted)] if counted else []
    return sum(found) / len(found) if found else None


def test_the_lowest_scores_are_left_out_first():
    # Ten problems, the three of lowest score are wrong.
    errors_b = np.array([0, 0, 1, 0, 1, 0, 0, 1, 0, 0], dtype=float)
    scores = [0.9 + i / 100 if error == 0 else 0.1 for i, error in enumerate(errors_b)]
    found = selective(errors_b, scores)
    assert [estimate.value for estimate in found] == [3 / 10, 2 / 9, 1 / 8, 0, 0, 0, 0, 0, 0, 0]
    assert [estimate.n for estimate in found] == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert found[3].interval == intervals.wilson(0.0, 7)


def test_ties_share_the_error():
    found = selective(np.array([1.0, 0.0, 0.0, 0.0]), [0.5] * 4)
    assert [estimate.value for estimate in found] == [0.25] * 9 + [None]  # round(.9 * 4) leaves none
    assert [estimate.n for estimate in found] == [4, 4, 3, 3, 2, 2, 2, 1, 1, 0]
    # One of three that tie is left out: 2/3 of their one error stay, beside a right one above.
    assert selective(np.array([1.0, 0.0, 0.0, 0.0]), [0.1, 0.1, 0.1, 0.9])[2].value == pytest.approx(2 / 3 / 3)


def test_sums_of_the_same_numbers_tie():
    errors_b, scores = np.array([1.0, 0.0]), [0.1 + 0.2, 0.3]
    assert scores[0] != scores[1] and selective(errors_b, scores)[5].value == 0.5


def test_problems_that_do_not_count_are_ranked_all_the_same():
    errors_b = np.array([NAN, NAN, 1.0, 0.0])
    found = selective(errors_b, [0.1, 0.2, 0.3, 0.4])
    assert ABSTAINED[5] == 0.5
    assert (found[5].value, found[5].n) == (0.5, 2)  # the first two left out
    assert (found[8].value, found[8].n) == (0.0, 1)  # and the third


def test_where_nobody_is_left_there_is_no_error():
    found = selective(np.array([1.0]), [0.3])
    assert [estimate.value for estimate in found] == [1.0] * 6 + [None] * 4  # round(.5) is 0, round(.6) is 1
    assert [estimate.value for estimate in selective(np.zeros(0), [])] == [None] * 10
    assert [estimate.value for estimate in selective(np.array([NAN, NAN, NAN]), [0.1] * 3)] == [None] * 10


@hypothesis.given(ROWS)
def test_it_is_the_mean_over_all_orders_of_what_ties(rows):
    errors, scores = [error for error, _ in rows], [score for _, score in rows]
    found = [estimate.value for estimate in selective(np.array(errors), scores)]
    for value, share in zip(found, ABSTAINED, strict=True):
        expected = by_orders(errors, scores, share)
        assert value == (None if expected is None else pytest.approx(expected))


@hypothesis.given(
    st.lists(st.tuples(st.sampled_from([0.0, 1.0, NAN]), st.sampled_from([0.1, 0.2, 0.3])), min_size=1, max_size=30),
    st.randoms(use_true_random=False),
)
def test_order_does_not_matter_and_no_abstention_is_the_plain_error(rows, rng):
    errors_b, scores = np.array([error for error, _ in rows]), [score for _, score in rows]
    found = selective(errors_b, scores)
    assert found[0] == intervals.proportion(errors_b)
    order = rng.sample(range(len(rows)), len(rows))
    assert selective(errors_b[order], [scores[i] for i in order]) == found
