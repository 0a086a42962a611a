"""Problems from files with keys of their own."""

import json
import pathlib

import pytest

from procsup_jax.data.jsonl import Keys, load_jsonl
from procsup_jax.errors import UserError
from procsup_jax.types import Problem


@pytest.fixture
def write(tmp_path: pathlib.Path):
    def write(*rows):
        path = tmp_path / "mine.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


def test_our_own_keys_are_the_default_and_others_are_kept(write):
    path = write({"uid": "a", "question": "2+2?", "answer": "4.0", "level": 3}, {"question": "3+3?", "answer": 6})
    assert load_jsonl(path) == [Problem("a", "2+2?", "4", extra={"level": 3}), Problem("mine-1", "3+3?", "6")]


def test_keys_may_lead_into_objects(write):
    path = write({"id": 7, "prompt": [], "extra.info": "x", "row": {"q": "2+2?"}, "rm": {"truth": "1,200"}})
    keys = Keys(uid="id", question="row.q", answer="rm.truth")
    assert load_jsonl(path, keys) == [Problem("7", "2+2?", "1200", extra={"prompt": [], "extra.info": "x"})]


def test_an_answer_may_stand_in_a_solution_or_be_one(write):
    trace = "2+2=<<2+2=4>>4\n#### 4"
    rows = [
        {"solution": trace},
        {"answer": trace},
        {"answer": "", "solution": trace},
        {"answer": None, "solution": trace},
    ]
    path = write(*({"question": "a", **row} for row in rows))
    assert [(each.answer, each.solution) for each in load_jsonl(path)] == [("4", trace)] * 4


def test_an_array_is_read_too(write):
    rows = [{"uid": "a", "question": "2+2?", "answer": "4"}, {"question": "3+3?", "answer": 6}]
    path = write(*rows)
    lines = load_jsonl(path)
    path.write_text(json.dumps(rows), encoding="utf-8")
    assert load_jsonl(path) == lines


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"question": "a", "answer": "1"}, {"question": "b"}], 'mine.jsonl:2: neither "answer" nor "solution" gives'),
        ([{"answer": "1"}], 'mine.jsonl:1: "question" is missing, expected a string'),
        ([{"question": "a", "answer": ["1"]}], 'mine.jsonl:1: "answer" is ["1"], expected a string'),
        ([{"question": "a", "answer": "1", "uid": "x"}] * 2, "uid 'x' stands in two lines, expected each once"),
    ],
)
def test_a_bad_line_is_one_clear_line(write, rows, message):
    with pytest.raises(UserError) as error:
        load_jsonl(write(*rows))
    assert message in str(error.value) and "\n" not in str(error.value)
