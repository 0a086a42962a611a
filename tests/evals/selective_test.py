import hypothesis
import numpy as np
from hypothesis import strategies as st

from procsup_jax.evals import intervals
from procsup_jax.evals.selective import ABSTAINED, selective

NAN = float("nan")


def test_the_lowest_scores_are_left_out_first():
    # Ten problems, the three of lowest score are wrong.
    errors_b = np.array([0, 0, 1, 0, 1, 0, 0, 1, 0, 0], dtype=float)
    scores = [0.9 if error == 0 else 0.1 for error in errors_b]
    found = selective(errors_b, scores, [f"p{i}" for i in range(10)])
    assert [estimate.value for estimate in found] == [3 / 10, 2 / 9, 1 / 8, 0, 0, 0, 0, 0, 0, 0]
    assert [estimate.n for estimate in found] == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert found[3].interval == intervals.wilson(0.0, 7)


def test_ties_go_by_uid_whatever_the_order():
    errors_b, scores = np.array([1.0, 0.0, 0.0, 0.0]), [0.5] * 4
    first = selective(errors_b, scores, ["a", "b", "c", "d"])
    assert first[3].value == 0.0  # round(.3 * 4) = 1 left out: "a"
    again = selective(errors_b[[2, 0, 3, 1]], scores, ["c", "a", "d", "b"])
    assert again == first
    assert selective(errors_b, scores, ["d", "b", "c", "a"])[3].value == 1 / 3


def test_problems_that_do_not_count_are_ranked_all_the_same():
    errors_b = np.array([NAN, NAN, 1.0, 0.0])
    found = selective(errors_b, [0.1, 0.2, 0.3, 0.4], ["a", "b", "c", "d"])
    assert ABSTAINED[5] == 0.5
    assert (found[5].value, found[5].n) == (0.5, 2)  # a and b left out
    assert (found[8].value, found[8].n) == (0.0, 1)  # a, b and c


def test_where_nobody_is_left_there_is_no_error():
    found = selective(np.array([1.0]), [0.3], ["a"])
    assert [estimate.value for estimate in found] == [1.0] * 6 + [None] * 4  # round(.5) is 0, round(.6) is 1
    assert [estimate.value for estimate in selective(np.zeros(0), [], [])] == [None] * 10


@hypothesis.given(
    st.lists(st.tuples(st.sampled_from([0.0, 1.0, NAN]), st.sampled_from([0.1, 0.2, 0.3])), min_size=1, max_size=30),
    st.randoms(use_true_random=False),
)
def test_order_does_not_matter_and_no_abstention_is_the_plain_error(rows, rng):
    errors_b, scores = np.array([error for error, _ in rows]), [score for _, score in rows]
    uids = [f"p{i:02}" for i in range(len(rows))]
    found = selective(errors_b, scores, uids)
    assert found[0] == intervals.proportion(errors_b)
    order = rng.sample(range(len(rows)), len(rows))
    assert selective(errors_b[order], [scores[i] for i in order], [uids[i] for i in order]) == found
