import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from procsup_jax.evals import emulation, reward_models
from procsup_jax.evals.emulation import Steps
from procsup_jax.evals.join import join
from procsup_jax.types import Problem, Sample, Score, StepLabels

# Two right answers, the second with a mistake at its second step; a wrong answer with its mistake at the third.
PROCESS = np.array([1.0, 1, 1, 0, 0, 1, 1, 0])
OUTCOME = np.array([1.0, 1, 1, 1, 1, 0, 0, 0])
PROBLEM = np.array([0, 0, 0, 0, 0, 1, 1, 1])
LEFT = np.array([1, 0, 2, 1, 0, 2, 1, 0])
STEPS = Steps(PROCESS, OUTCOME, PROBLEM, LEFT)


def test_predictors_that_know_nothing_have_a_gap_too():
    found = emulation.measure({}, STEPS)
    assert found["n"] == 8
    # Steps 4 and 5 are wrong on the way to a right answer, 6 and 7 right on the way to a wrong one.
    assert found["disputed"] == {"before_mistake": 0.25, "from_mistake": 0.25}
    always = found["by"]["always_correct"]
    assert (always["process"], always["outcome"], always["gap"]) == (5 / 8, 5 / 8, 0.0)
    assert (always["before_mistake"], always["from_mistake"]) == (1.0, 0.0)
    # Calling the last step of each incorrect wins the last of the second answer and loses nothing.
    falling = found["by"]["falling"]
    assert falling["last"] == 1 and falling["gap"] == 2 / 8
    assert (falling["before_mistake"], falling["from_mistake"]) == (1.0, 0.5)


def test_a_predictors_gap_is_what_its_agreements_differ_by_and_stands_beside_the_baselines():
    orm = np.array([1.0, 1, 1, 0, 0, 1, 0, 0])
    found = emulation.measure({"orm": orm}, STEPS)["by"]["orm"]
    assert (found["process"], found["outcome"]) == (7 / 8, 5 / 8)
    assert found["gap"] == pytest.approx(2 / 8)
    assert (found["before_mistake"], found["from_mistake"]) == (0.5, 1.0)
    assert found["above_always_correct"] == pytest.approx(2 / 8) and found["above_falling"] == pytest.approx(0.0)
    assert found["intervals"].keys() == {"gap", "above_always_correct", "above_falling"}


def test_intervals_are_over_problems_and_pair_both_agreements():
    rng = np.random.default_rng(0)
    outcome = np.repeat(rng.integers(0, 2, 400), 4).astype(float)
    left = np.tile([3, 2, 1, 0], 400)
    process = (left >= np.repeat(rng.integers(0, 5, 400), 4)).astype(float)
    steps = Steps(process, outcome, np.repeat(np.arange(200), 8), left)
    found = emulation.measure({"orm": process}, steps, seed=1)["by"]["orm"]
    lo, hi = found["intervals"]["gap"]
    assert lo < found["gap"] < hi
    differs = np.abs(process - outcome).reshape(200, 8).mean(axis=1)
    assert hi - lo == pytest.approx(2 * 1.96 * differs.std() / 200**0.5, rel=0.1)
    # The process labels themselves lie above both baselines, and surely so.
    assert found["intervals"]["above_always_correct"][0] > 0 and found["intervals"]["above_falling"][0] > 0


def test_steps_without_a_process_label_are_left_out_and_none_leaves_nothing():
    some = Steps(np.where(LEFT == 0, np.nan, PROCESS), OUTCOME, PROBLEM, LEFT)
    assert emulation.measure({"orm": PROCESS}, some)["n"] == 5
    none = emulation.measure({"orm": PROCESS}, Steps(np.full(8, np.nan), OUTCOME, PROBLEM, LEFT))
    assert none == {"n": 0, "disputed": {"before_mistake": None, "from_mistake": None}, "by": {}}


@st.composite
def labelled(draw):
    lens = draw(st.lists(st.integers(1, 4), min_size=1, max_size=6))
    left = np.concatenate([np.arange(n)[::-1] for n in lens])
    wrong = [draw(st.integers(0, n)) for n in lens]
    process = np.concatenate([np.arange(n) < n - k for n, k in zip(lens, wrong, strict=True)]).astype(float)
    outcome = np.repeat([draw(st.integers(0, 1)) for _ in lens], lens).astype(float)
    falls = np.concatenate([np.arange(n) < draw(st.integers(0, n)) for n in lens]).astype(float)
    return Steps(process, outcome, np.repeat(np.arange(len(lens)), lens), left), falls


@hypothesis.given(labelled())
def test_a_gap_is_decided_on_the_disputed_steps(drawn):
    steps, falls = drawn
    found = emulation.measure({"orm": falls}, steps)
    early, late = found["disputed"]["before_mistake"], found["disputed"]["from_mistake"]
    for each in found["by"].values():
        gap = early * (2 * (each["before_mistake"] or 0) - 1) + late * (2 * (each["from_mistake"] or 0) - 1)
        assert each["gap"] == pytest.approx(gap)
        assert each["gap"] == pytest.approx(each["process"] - each["outcome"])
    always, falling = found["by"]["always_correct"], found["by"]["falling"]
    assert always["gap"] == pytest.approx(early - late)
    assert falling["gap"] >= max(always["gap"], -always["gap"]) - 1e-12


def test_an_evaluation_holds_all_steps_and_last_ones():
    problems = [Problem("a", "?", "1"), Problem("b", "?", "2")]
    samples = [Sample("a", 0, "x\ny", "1"), Sample("a", 1, "x\ny", "1"), Sample("b", 0, "x\ny\nz", "9")]
    orm = [Score("a", 0, (0.9, 0.8), 0.8, "last"), Score("a", 1, (0.6, 0.2), 0.2, "last")]
    orm.append(Score("b", 0, (0.7, 0.4, 0.3), 0.3, "last"))
    labels = [StepLabels("a", 0, -1, 2, "r", "oracle"), StepLabels("a", 1, 1, 2, "r", "oracle")]
    found = reward_models.report(join(problems, samples, {"orm": orm}, labels))["emulation"]
    assert (found["all_steps"]["n"], found["last_step"]["n"]) == (4, 2)
    assert found["last_step"]["disputed"] == {"before_mistake": 0.0, "from_mistake": 0.5}
    assert found["all_steps"]["by"]["orm"]["gap"] == pytest.approx(1 / 4)
    assert found["last_step"]["by"]["orm"]["from_mistake"] == 1.0
