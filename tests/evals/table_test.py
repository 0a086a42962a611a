from procsup_jax.evals.evaluate import evaluate
from procsup_jax.evals.table import table
from procsup_jax.searching import decodings
from procsup_jax.types import Problem, Sample, Score, StepLabels

PROBLEMS = [Problem("a", "?", "1"), Problem("b", "?", "2")]
SAMPLES = [Sample("a", 0, "x", "1"), Sample("a", 1, "x", "3"), Sample("b", 0, "x", "2")]
SCORES = [Score("a", 0, (0.9,), 0.9, "min"), Score("a", 1, (0.2,), 0.2, "min"), Score("b", 0, (0.6,), 0.6, "min")]
LABELS = [StepLabels("a", 0, 0, 1, "r", "oracle"), StepLabels("b", 0, -1, 1, "r", "oracle")]


def test_rows_are_aligned_and_hold_the_figures():
    lines = table(evaluate(PROBLEMS, SAMPLES, {"orm": SCORES, "prm": SCORES}, LABELS)).split("\n")
    rows = {line.split("  ")[0]: line for line in lines}
    start = next(i for i, line in enumerate(lines) if line.startswith("decoding"))
    assert lines[0].startswith("2 problems")
    assert len({len(line) for line in lines[start : start + 7]}) == 1
    assert "0.0 [0.0, 65.8]" in rows["orm_best"]
    assert "50.0 [9.5, 90.5]" in rows["orm_best"]
    assert "(50.0-50.0)" in rows["orm_best"]
    assert "one sample" in rows
    assert rows["prm"].split()[1] == "min"
    assert "100.0" in rows["orm_label"]


def test_what_is_not_known_is_a_dash():
    greedy = [decodings.mark(Sample(uid, 0, "", "1"), "greedy") for uid in "ab"]
    text = table(evaluate(PROBLEMS, greedy))
    row = next(line for line in text.split("\n") if line.startswith("greedy"))
    assert row.split("  ")[-1].strip() == "-"
    assert "None" not in text and "nan" not in text
    assert "one sample" not in text


def test_three_reward_models_are_three_rows_of_one_table():
    lines = table(evaluate(PROBLEMS, SAMPLES, dict.fromkeys(("a", "judge-72b", "c"), SCORES), LABELS)).split("\n")
    start = next(i for i, line in enumerate(lines) if line.startswith("reward model"))
    assert [line.split()[0] for line in lines[start + 1 : start + 4]] == ["a", "judge-72b", "c"]
    assert lines[start + 4] == ""
    assert len({len(line) for line in lines[start : start + 4]}) == 1
    assert any(line.startswith("judge-72b_weighted") for line in lines)


def test_traces_that_unknown_steps_leave_open_are_counted():
    labels = [StepLabels("a", 0, None, 1, "r", "human"), LABELS[1]]
    text = table(evaluate(PROBLEMS, SAMPLES, labels=labels))
    assert "traces left out of trace error, as unknown steps leave them open: one sample 1, majority 1" in text
