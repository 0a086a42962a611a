"""Random solutions, a few of those that `python -m benchmarks.soak solutions` tries; and what it would see."""

import collections
import random
from fractions import Fraction

import pytest

from benchmarks.soak import exact, solutions, texts
from benchmarks.soak.result import Budget
from procsup_jax.text import answers, calculator, steps
from procsup_jax.types import CalculatorFault


def test_random_solutions_break_no_promise():
    found = solutions.chunk(seed=1, number=0, size=1500)
    assert found.faults == []
    counts = found.counts
    assert counts["solutions"] == 1500 and counts["known_answers"] > 100 and counts["annotations"] > 1000
    assert counts["answers_read"] > counts["answers_read_strictly"] > 300


def test_processes_share_the_work_and_try_each_text_once():
    found = solutions.run(Budget(solutions.CHUNK // 2), seed=2)
    assert (found.tried, found.broken) == (solutions.CHUNK // 2, 0)


@pytest.mark.parametrize(
    ("expression", "value"),
    [("2+3*4", 14), ("-(1 - .5)", Fraction(-1, 2)), ("1,234.50/2", Fraction("617.25")), ("--3", 3), ("7.", 7)]
    + [
        (text, None)
        for text in ("", "1/0", "2(3)", "1,23", "1 2", "()", ".", "(1", "1)", "1//2", "x", "1" * 257, "1..2")
    ],
)
def test_the_second_parser(expression, value):
    assert exact.value(expression) == value


def test_written_numbers_are_what_they_were_written_from():
    chance = random.Random(0)
    right = texts.right_ones()
    for _ in range(300):
        known = texts.known(chance, right)
        assert answers.same_answer(answers.extract_answer(known.text), str(known.answer)), known


@pytest.mark.parametrize(
    ("place", "name", "wrong", "said"),
    [
        (steps, "split_steps", lambda text, separator="\n": text.split(separator), "a step is empty"),
        (steps, "split_steps", lambda text, separator="\n": text.split(), "do not give the text back"),
        (calculator, "evaluate", lambda text: Fraction(3), "expected"),
        (calculator, "faults", lambda texts: (), "is wrong and no fault"),
        (calculator, "faults", lambda texts: (CalculatorFault(0, "1+1", "2", "3"),), "is right and called a fault"),
        (answers, "normalise_answer", lambda text: text + " ", "no normal form"),
        (answers, "same_answer", lambda a, b: a < b, "depends on their order"),
        (answers, "read_answer", lambda text, *_: answers.Found("9", "x"), "strictly"),
        (answers, "extract_answer", lambda text: "0.125", "is read, expected"),
        (answers, "gold_answer", lambda text: None, "a reference would not have"),
        (answers, "gold_answer", lambda text: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_what_would_be_wrong_is_seen(monkeypatch, place, name, wrong, said):
    monkeypatch.setattr(place, name, wrong)
    solutions.check_expression.cache_clear()
    faults = solutions.chunk(seed=3, number=0, size=300).faults
    solutions.check_expression.cache_clear()
    assert any(said in fault for fault in faults), faults[:3]


def test_a_text_that_takes_too_long_is_given_up_and_named(monkeypatch):
    def forever(text):
        while True:
            pass

    monkeypatch.setattr(solutions, "GIVEN_UP_SECONDS", 0.05)
    monkeypatch.setattr(solutions, "MAX_SECONDS", 0.01)
    monkeypatch.setattr(calculator, "annotations", forever)
    [first, second] = solutions.chunk(seed=4, number=0, size=1).faults
    assert "TimeoutError" in first and "took 0." in second


def test_hostile_texts_are_among_them():
    chance, right = random.Random(5), texts.right_ones()
    drawn = [texts.solution(chance, right) for _ in range(4000)]
    assert max(map(len, drawn)) > 1000 and len(set(drawn)) > 3600
    assert all(any(piece in text for text in drawn) for piece in texts.PIECES)
    kinds = collections.Counter(exact.value(exact.expression(chance)) is None for _ in range(1000))
    assert min(kinds.values()) > 150
