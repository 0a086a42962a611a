import json

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from procsup_jax.errors import UserError
from procsup_jax.evals import processbench
from procsup_jax.evals.processbench import Item


def item(uid, num_steps, label):
    return Item(uid, "?", tuple(f"step {i}" for i in range(num_steps)), label, label < 0)


ITEMS = [item("a", 3, 1), item("b", 3, 0), item("c", 2, -1), item("d", 2, -1), item("e", 4, 3)]
PROBS = [[0.9, 0.4, 0.1], [0.7, 0.2, 0.9], [0.9, 0.6], [0.4, 0.9], [0.8, 0.8, 0.8, 0.3]]


def test_the_first_step_below_the_threshold_is_called_wrong():
    found = processbench.evaluate(ITEMS, PROBS)
    assert (found.erroneous.value, found.erroneous.n) == (2 / 3, 3)  # a and e; b's first error is missed
    assert (found.correct.value, found.correct.n) == (1 / 2, 2)
    assert found.f1.value == pytest.approx(2 * (2 / 3) * (1 / 2) / (2 / 3 + 1 / 2))


def test_a_probability_at_the_threshold_is_correct():
    assert processbench.evaluate([item("a", 1, -1)], [[0.5]]).correct.value == 1.0


def test_extreme_thresholds():
    never = processbench.evaluate(ITEMS, PROBS, 0.0)
    assert (never.erroneous.value, never.correct.value, never.f1.value) == (0.0, 1.0, 0.0)
    always = processbench.evaluate(ITEMS, PROBS, 1.0)
    assert (always.erroneous.value, always.correct.value) == (1 / 3, 0.0)  # only b errs at its first step


def test_without_cases_there_is_no_f1():
    found = processbench.evaluate(ITEMS[:2], PROBS[:2])
    assert (found.correct.value, found.correct.interval, found.f1.value) == (None, None, None)
    assert processbench.evaluate([], []).f1.value is None


def test_the_threshold_of_highest_f1_is_found():
    items = [item("a", 2, 1), item("b", 2, -1), item("c", 2, 0), item("d", 2, -1)]
    probs = [[0.30, 0.05], [0.12, 0.30], [0.08, 0.90], [0.20, 0.20]]
    threshold = processbench.choose_threshold(items, probs)
    assert 0.08 < threshold <= 0.12
    assert processbench.evaluate(items, probs, threshold).f1.value == 1.0
    assert processbench.evaluate(items, probs).f1.value < 1.0


def test_of_equal_thresholds_the_one_nearest_to_one_half_is_taken():
    items = [item("a", 1, 0), item("b", 1, -1), item("c", 1, -1)]
    assert processbench.choose_threshold(items, [[0.1], [0.7], [0.8]]) == pytest.approx(0.4)


def test_a_threshold_needs_both_kinds():
    with pytest.raises(UserError, match="found 2 erroneous of 2"):
        processbench.choose_threshold(ITEMS[:2], PROBS[:2])


@hypothesis.given(st.integers(0, 10_000))
@hypothesis.settings(max_examples=25)
def test_no_threshold_beats_the_chosen_one(seed):
    rng = np.random.default_rng(seed)
    probs = [rng.integers(1, 10, len(one.steps)) / 10 for one in ITEMS]
    best = processbench.evaluate(ITEMS, probs, processbench.choose_threshold(ITEMS, probs)).f1.value
    assert best >= max(processbench.evaluate(ITEMS, probs, t).f1.value for t in np.arange(0, 1.01, 0.05))


def test_scores_have_to_fit():
    with pytest.raises(UserError, match="found 1 scores for 5"):
        processbench.evaluate(ITEMS, PROBS[:1])
    with pytest.raises(UserError, match="solution 'a' has 1 step scores, expected 3"):
        processbench.evaluate(ITEMS[:1], [[0.5]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": 2}, '"label" is 2, expected less than the number of steps, 2'),
        ({"label": -2}, '"label" is -2'),
        ({"steps": []}, '"steps" is []'),
        ({"final_answer_correct": 1}, '"final_answer_correct" is 1, expected true or false'),
    ],
)
def test_bad_lines_are_named(tmp_path, change, message):
    line = {"id": "x", "problem": "?", "steps": ["a", "b"], "label": 1, "final_answer_correct": False}
    path = tmp_path / "bench.jsonl"
    path.write_text(json.dumps(line) + "\n" + json.dumps({**line, "id": "y", **change}) + "\n")
    with pytest.raises(UserError) as caught:
        processbench.read_processbench(path)
    assert "bench.jsonl:2: " in str(caught.value) and message in str(caught.value)
    assert [one.uid for one in processbench.read_processbench(path, skip_bad=True)] == ["x"]


def test_steps_stay_as_they_are_given():
    given = ("one\n- two\n", " ", "\\boxed{7}")
    problems, samples = processbench.records([Item("x", "q", given, -1, True, "a-7b")])
    assert samples[0].steps == given and samples[0].policy == "a-7b"
    assert (problems[0].question, samples[0].problem_uid, samples[0].answer) == ("q", "x", "7")


def test_f1_has_an_interval_over_solutions():
    rng = np.random.default_rng(0)
    items = [item(str(i), 2, i % 3 - 1) for i in range(300)]
    probs = rng.random((300, 2)).tolist()
    f1 = processbench.evaluate(items, probs).f1
    assert f1.interval[0] < f1.value < f1.interval[1] < f1.interval[0] + 0.25
    assert processbench.evaluate(items, probs).f1 == f1 != processbench.evaluate(items, probs, seed=1).f1


def test_the_published_file(shared_data):
    path = shared_data / "processbench" / "gsm8k.jsonl"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    items = processbench.read_processbench(path)
    assert len(items) == 400
    _, samples = processbench.records(items)
    assert all(s.steps == i.steps and i.generator for s, i in zip(samples, items, strict=True))
    # An oracle of the labels finds everything; its opposite, where no step is suspect, only the 193 correct ones.
    oracle = [[0.0 if 0 <= i.label <= step else 1.0 for step in range(len(i.steps))] for i in items]
    found = processbench.evaluate(items, oracle)
    assert (found.f1.value, found.erroneous.n, found.correct.n) == (1.0, 207, 193)
    trusting = processbench.evaluate(items, [[1.0] * len(i.steps) for i in items])
    assert (trusting.erroneous.value, trusting.correct.value, trusting.f1.value) == (0.0, 1.0, 0.0)
    assert processbench.choose_threshold(items, oracle) == 0.5
