import pytest

from procsup_jax.evals import reward_models
from procsup_jax.evals.join import join
from procsup_jax.searching import decodings
from procsup_jax.types import Problem, Sample, Score, StepLabels

PROBLEMS = [Problem("a", "?", "1"), Problem("b", "?", "2")]
SAMPLES = [Sample("a", 0, "x\ny", "1"), Sample("a", 1, "x\ny", "1"), Sample("b", 0, "x\ny\nz", "9")]
ORM = [
    Score("a", 0, (0.9, 0.8), 0.8, "last"),
    Score("a", 1, (0.6, 0.7), 0.7, "last"),
    Score("b", 0, (0.7, 0.4, 0.3), 0.3, "last"),
]
LABELS = [
    StepLabels("a", 0, -1, 2, "r", "oracle"),
    StepLabels("a", 1, 1, 2, "r", "oracle"),
    StepLabels("b", 0, 1, 3, "r", "oracle"),
]
# ORM predictions 11 11 100, outcome labels 11 11 000, process labels 11 10 100.


def test_agreement_over_all_and_last_steps():
    found = reward_models.report(join(PROBLEMS, SAMPLES, {"orm": ORM}, LABELS))["agreement"]
    every, last = found["all_steps"], found["last_step"]
    assert (every["n"], last["n"]) == (7, 3)
    assert every["orm_prediction"]["orm_label"] == 6 / 7
    assert every["orm_prediction"]["prm_label"] == 6 / 7
    assert every["orm_label"]["prm_label"] == 5 / 7
    assert every["prm_prediction"]["prm_label"] is None
    assert last["orm_prediction"]["orm_label"] == 3 / 3
    assert last["orm_prediction"]["prm_label"] == pytest.approx(2 / 3)


def test_auc_against_each_kind_of_label():
    found = reward_models.report(join(PROBLEMS, SAMPLES, {"orm": ORM}, LABELS))["reward_models"]["orm"]
    # Process: right .9 .8 .6 .7 against wrong .7 .4 .3: 12 pairs, .6 < .7 lost, .7 = .7 tied.
    assert found["auc"]["process"] == pytest.approx(10.5 / 12)
    # Outcome: right .9 .8 .6 .7 against wrong .7 .4 .3 as well.
    assert found["auc"]["outcome"] == pytest.approx(10.5 / 12)
    assert found["auc"]["right_answer"] == 1.0  # .8 of the right trace against .7 of the wrong one
    assert found["auc_n"] == {"process": 7, "outcome": 7, "right_answer": 2}
    assert found["agreement"] == {"process": pytest.approx(6 / 7), "outcome": pytest.approx(6 / 7)}
    assert found["agreement_n"] == {"process": 7, "outcome": 7}
    kinds = ("auc.process", "auc.outcome", "auc.right_answer", "agreement.process", "agreement.outcome")
    assert found["intervals"].keys() == set(kinds)
    assert found["brier"]["outcome"] == pytest.approx((0.01 + 0.04 + 0.16 + 0.09 + 0.49 + 0.16 + 0.09) / 7)
    assert (found["aggregate"], found["n"]) == ("last", 3)


def test_without_labels_only_outcomes_are_known():
    found = reward_models.report(join(PROBLEMS, SAMPLES, {"orm": ORM}, ()))
    assert found["reward_models"]["orm"]["auc"] == {"process": None, "outcome": 10.5 / 12, "right_answer": None}
    assert found["reward_models"]["orm"]["brier"]["process"] is None
    assert found["agreement"]["all_steps"]["orm_prediction"]["orm_label"] == 6 / 7
    assert found["agreement"]["all_steps"]["orm_prediction"]["prm_label"] is None


def test_without_reward_models_labels_still_agree():
    found = reward_models.report(join(PROBLEMS, SAMPLES, {}, LABELS))
    assert found["reward_models"] == {}
    assert found["agreement"]["all_steps"]["orm_label"]["prm_label"] == 5 / 7


def test_unlabelled_samples_are_left_out_of_the_matrix_alone():
    found = reward_models.report(join(PROBLEMS, SAMPLES, {"orm": ORM}, LABELS[:2]))
    assert found["agreement"]["all_steps"]["n"] == 4
    assert found["reward_models"]["orm"]["auc_n"] == {"process": 4, "outcome": 7, "right_answer": 2}


def test_two_raters_count_half_each():
    second = [StepLabels("a", 1, -1, 2, "s", "oracle")]
    found = reward_models.report(join(PROBLEMS, SAMPLES, {"orm": ORM}, [*LABELS, *second]))
    assert found["agreement"]["all_steps"]["orm_prediction"]["prm_label"] == 6.5 / 7
    # Traces of right answers: .8 is right; .7 is right to one rater and wrong to the other.
    assert found["reward_models"]["orm"]["auc"]["right_answer"] == pytest.approx((1 * 0.5 + 0.5 * 0.5 * 0.5) / 0.75)


def test_samples_without_steps_have_no_last_step():
    samples = [*SAMPLES, Sample("b", 1, "", None)]
    found = reward_models.report(join(PROBLEMS, samples, {"orm": [*ORM, Score("b", 1, (), 0.0, "last")]}, LABELS))
    assert found["agreement"]["last_step"]["n"] == 3
    assert found["reward_models"]["orm"]["n"] == 4


def test_greedy_solutions_alone_give_nothing_to_judge_reward_models_by():
    greedy = [decodings.mark(Sample(uid, 0, "", "1"), "greedy") for uid in "ab"]
    found = reward_models.report(join(PROBLEMS, greedy, {"orm": []}, ()))
    assert found["agreement"]["all_steps"]["n"] == 0
    assert found["reward_models"]["orm"]["auc"] == {"process": None, "outcome": None, "right_answer": None}


def test_unknown_steps_are_left_out_and_soft_ones_are_verdicts():
    labels = [
        StepLabels("a", 0, None, 2, "r", "judge", steps=(0.9, None)),
        StepLabels("a", 1, None, 2, "r", "judge", steps=(1, 0.37)),
        StepLabels("b", 0, None, 3, "r", "judge", steps=(0.5, 0, None)),
    ]
    found = reward_models.report(join(PROBLEMS, SAMPLES, {"orm": ORM}, labels))
    # Predictions 11 11 100, process labels 1? 10 10?: five steps are known.
    assert found["agreement"]["all_steps"]["n"] == 5
    assert found["agreement"]["all_steps"]["orm_prediction"]["prm_label"] == 4 / 5
    assert found["reward_models"]["orm"]["auc_n"] == {"process": 5, "outcome": 7, "right_answer": 1}
