"""Answers by both readings, worked out by hand."""

from procsup_jax.evals import intervals, readings
from procsup_jax.evals.join import join
from procsup_jax.text import answers
from procsup_jax.types import Problem, Sample

TEXTS = {
    "a": ["so 8\n#### 8", "The answer is 8.", "#### 9", "no idea, none"],
    "b": ["#### 8", "#### 8", "#### 8", "#### 8"],
}


def test_strict_flexible_and_unparsed_are_told_apart():
    problems = [Problem(uid, "?", "8") for uid in TEXTS]
    samples = [
        Sample(uid, i, text, answers.extract_answer(text)) for uid, row in TEXTS.items() for i, text in enumerate(row)
    ]
    greedy = [
        Sample(uid, 0, text, answers.extract_answer(text), decoding="greedy")
        for uid, text in (("a", "The answer is 8."), ("b", "none"))
    ]
    found = readings.measure(join(problems, samples + greedy, {}, ()), "#### ")
    one = found["one_sample"]
    assert (one["strict_error"], one["flexible_error"], one["unparsed"]) == (3 / 8, 2 / 8, 1 / 8)
    assert one["intervals"]["strict_error"] == [0, 0.75] and one["n"] == 2
    assert (found["greedy"]["strict_error"], found["greedy"]["flexible_error"]) == (1, 0.5)
    assert found["greedy"]["unparsed"] == 0.5
    assert found["greedy"]["intervals"]["unparsed"] == list(intervals.wilson(0.5, 2))
