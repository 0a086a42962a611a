import numpy as np
import pytest

from procsup_jax.evals import outcomes
from procsup_jax.evals.join import join
from procsup_jax.searching import decodings
from procsup_jax.searching.aggregate import to_scores
from procsup_jax.types import Problem, Sample, Score, StepLabels

PROBLEMS = [Problem("a", "?", "1"), Problem("b", "?", "2"), Problem("c", "?", "3")]
ANSWERS = {"a": ["1", "1.0", "9", None], "b": ["7", "7", "2", "7"], "c": [None] * 4}
SAMPLES = [Sample(uid, i, "x", answer) for uid, row in ANSWERS.items() for i, answer in enumerate(row)]
STEP_PROBS = {"a": [0.2, 0.6, 0.7, 0.9], "b": [0.1, 0.2, 0.9, 0.3], "c": [0.9] * 4}
SCORES = [Score(uid, i, (prob,), prob, "last") for uid, row in STEP_PROBS.items() for i, prob in enumerate(row)]
GREEDY = [decodings.mark(Sample(uid, 0, "x", answer), "greedy") for uid, answer in (("a", "1"), ("b", "7"), ("c", "3"))]
SEARCHED = [decodings.mark(Sample(uid, 0, "x", answer), "prm_step") for uid, answer in zip("abc", "12 ", strict=True)]


DECODINGS = decodings.in_order(["orm", "prm"])


def measured(joined, seed=0):
    return outcomes.measure_all(joined, seed)


def test_decodings_follow_from_what_is_given():
    assert list(outcomes.choose(join(PROBLEMS, SAMPLES, {}, ()), 0)) == ["majority"]
    assert list(outcomes.choose(join(PROBLEMS, [*GREEDY], {}, ()), 0)) == ["greedy"]
    searched = [decodings.mark(SEARCHED[i], name) for name in filter(decodings.writes, DECODINGS) for i in range(3)]
    everything = join(PROBLEMS, [*SAMPLES, *searched], {"orm": SCORES, "prm": SCORES}, ())
    assert list(outcomes.choose(everything, 0)) == list(DECODINGS)
    some = join(PROBLEMS, [*SAMPLES, *GREEDY, *SEARCHED], {"orm": SCORES, "prm": SCORES}, ())
    without = {"orm_step", "orm_beam", "prm_beam", "orm_puct", "prm_puct"}
    assert list(outcomes.choose(some, 0)) == [name for name in DECODINGS if name not in without]


def test_final_answers_are_judged_for_each_problem():
    found = measured(join(PROBLEMS, [*SAMPLES, *GREEDY, *SEARCHED], {"orm": SCORES}, ()))
    errors = {name: outcome.error_b.tolist() for name, outcome in found.items()}
    assert errors == {
        "greedy": [0, 1, 0],
        "majority": [0, 1, 1],
        "orm_weighted": [0, 0, 1],  # a: .2 + .6 > .7; b: .9 > .6; c: no answer at all
        "orm_best": [1, 0, 1],  # a: the best with an answer says 9
        "prm_step": [0, 0, 1],
    }


def test_scores_to_abstain_by():
    found = measured(join(PROBLEMS, [*SAMPLES, *GREEDY, *SEARCHED], {"orm": SCORES}, ()))
    assert found["majority"].score_b == (2 / 4, 3 / 4, 0.0)
    assert found["greedy"].score_b == (2 / 4, 3 / 4, 0.0)
    assert found["orm_weighted"].score_b == (0.6, 0.9, 0.0)
    assert found["prm_step"].score_b is None  # the PRM has not scored them
    assert measured(join(PROBLEMS, GREEDY, {}, ()))["greedy"].score_b is None


@pytest.mark.parametrize("decoding", ["prm_step", "prm_beam", "prm_puct"])
def test_searched_solutions_are_ranked_by_their_own_reward_model(decoding):
    searched = [decodings.mark(sample, decoding) for sample in SEARCHED]
    own = to_scores(searched, [(0.4,)] * 3, "last", None)
    found = measured(join(PROBLEMS, [*SAMPLES, *searched], {"prm": [*SCORES, *own]}, ()))
    assert found[decoding].score_b == (0.4, 0.4, 0.0)


def test_traces_are_judged_where_the_answer_is_right_and_labelled():
    labels = [
        StepLabels("a", 0, 0, 1, "first", "human", decoding="greedy"),
        StepLabels("a", 0, -1, 1, "second", "human", decoding="greedy"),
        StepLabels("b", 0, 0, 1, "first", "human", decoding="greedy"),
    ]
    greedy = measured(join(PROBLEMS, GREEDY, {}, labels))["greedy"]
    np.testing.assert_array_equal(greedy.trace_b, [0.5, np.nan, np.nan])  # b is wrong, c is not labelled
    np.testing.assert_array_equal(greedy.trace_min_b, [0.0, np.nan, np.nan])
    np.testing.assert_array_equal(greedy.trace_max_b, [1.0, np.nan, np.nan])


def test_a_problem_without_samples_is_wrong_by_majority():
    assert outcomes.majority_error(PROBLEMS, SAMPLES, 0) == pytest.approx(2 / 3)
    assert outcomes.majority_error(PROBLEMS[:2], SAMPLES[:4], 0) == 0.5


def test_the_share_of_problems_that_a_weighted_vote_gets_wrong():
    # a: 1 and 1.0 weigh .8, 9 weighs .7; b: 2 weighs .9, the three 7s .6; c has no answer.
    assert outcomes.weighted_error(PROBLEMS, SAMPLES, SCORES) == pytest.approx(1 / 3)
    assert outcomes.majority_error(PROBLEMS, SAMPLES, 0) == pytest.approx(2 / 3)
    assert outcomes.weighted_error(PROBLEMS, [], []) == 1.0
