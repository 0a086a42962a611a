"""The OOD sets: their answers, uids and sizes, and one clear line for each mistake."""

import json
import pathlib

import pytest

from procsup_jax import records
from procsup_jax.data import word_problems
from procsup_jax.errors import UserError
from procsup_jax.text import answers
from procsup_jax.types import Problem

SVAMP = {"Body": "Ann has 3 apples. ", "Question": "How many?", "Answer": 3.0, "ID": "chal-7", "Type": "Sum"}
ASDIV = {"body": "Two cats.", "question": "How many? ", "answer": "2 (cats)", "formula": "2=2"}
MULTIARITH = {"input": "2 + 2? ", "target": 4}
MATH = {"problem": r"Find $\frac{1}{2}+1$.", "solution": r"It is $\boxed{\dfrac{3}{2}}$.", "level": "Level 1"}


def _file(tmp_path: pathlib.Path, *rows: dict) -> pathlib.Path:
    path = tmp_path / "d.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_svamp(tmp_path: pathlib.Path):
    rows = [SVAMP, SVAMP | {"ID": "chal-8", "Answer": 2.5}, SVAMP | {"ID": "chal-9", "Answer": 1e16}]
    problems = word_problems.load_svamp(_file(tmp_path, *rows))
    assert problems[0] == Problem("svamp-chal-7", "Ann has 3 apples. How many?", "3", None, {"Type": "Sum"})
    assert [p.answer for p in problems] == ["3", "2.5", "1" + "0" * 16]
    with pytest.raises(UserError, match=r"d\.jsonl:2: ID 'chal-7' stands in line 1 already"):
        word_problems.load_svamp(_file(tmp_path, SVAMP, SVAMP))


@pytest.mark.parametrize(
    ("answer", "normal"),
    [("9 (apples)", "9"), ("14  (seats)", "14"), ("1,200 (km)", "1200"), ("Mrs. Hilt", "Mrs. Hilt"), ("5:45", "5:45")]
    + [("-(1/3)", "-1/3"), ("3/7", "3/7"), ("2.50 (dollars)", "2.5"), ("3:30 p.m.", "3:30 p.m")],
)
def test_asdiv_drops_units_and_keeps_other_answers(tmp_path: pathlib.Path, answer, normal):
    problem = word_problems.load_asdiv(_file(tmp_path, ASDIV | {"answer": answer}))[0]
    assert (problem.uid, problem.question, problem.answer) == ("asdiv-0", "Two cats. How many?", normal)
    assert problem.extra == {"formula": "2=2"}


def test_multiarith(tmp_path: pathlib.Path):
    problems = word_problems.load_multiarith(_file(tmp_path, MULTIARITH, MULTIARITH))
    assert problems[1] == Problem("multiarith-1", "2 + 2?", "4")


def test_math_is_plain_text_with_the_boxed_answer(tmp_path: pathlib.Path):
    solution = "See [asy]\ndraw(box);\n[/asy] \\boxed{1} or rather \\boxed{10{,}000\\text{ cm}}"
    problems = word_problems.load_math_prealgebra(_file(tmp_path, MATH, MATH | {"solution": solution}))
    assert (problems[0].question, problems[0].answer) == ("Find 1/2+1.", "3/2")
    assert problems[0].solution == r"It is \boxed{3/2}."
    assert answers.extract_answer(problems[0].solution) == "3/2"
    assert problems[1].answer == "10,000 cm" and "draw" not in problems[1].solution
    assert problems[0].extra == {"level": "Level 1", "diagram": False}


def test_math_problems_with_diagrams_are_left_out_unless_kept(tmp_path: pathlib.Path):
    diagram = MATH | {"problem": "See [asy] draw(box); [/asy]"}
    path = _file(tmp_path, MATH, diagram, MATH)
    assert [p.uid for p in word_problems.load_math_prealgebra(path)] == ["math-prealgebra-0", "math-prealgebra-2"]
    kept = word_problems.load_math_prealgebra(path, keep_diagrams=True)
    assert [p.extra["diagram"] for p in kept] == [False, True, False]


@pytest.mark.parametrize(
    ("dataset", "row", "message"),
    [
        ("svamp", {"Body": "b", "Question": "q", "ID": "i"}, '"Answer" is missing, expected a finite number'),
        ("svamp", SVAMP | {"Answer": "3"}, '"Answer" is "3", expected a finite number'),
        ("asdiv", {"body": "b", "answer": "2"}, '"question" is missing, expected a string'),
        ("multiarith", {"input": 3, "target": 4}, '"input" is 3, expected a string'),
        ("math_prealgebra", MATH | {"solution": "It is 3."}, r'"solution" has no \\boxed{...}'),
        ("jsonl", {"uid": "p"}, '"question" is missing'),
    ],
)
def test_a_bad_line_is_named(tmp_path: pathlib.Path, dataset, row, message):
    with pytest.raises(UserError, match=rf"d\.jsonl:1: {message}"):
        word_problems.load(dataset, _file(tmp_path, row))


def test_load_knows_every_set_by_name(tmp_path: pathlib.Path):
    assert word_problems.load("multiarith", _file(tmp_path, MULTIARITH))[0].uid == "multiarith-0"
    own = [Problem("p", "q", "4", "#### 4")]
    records.write_problems(tmp_path / "p.jsonl", own)
    assert word_problems.load("jsonl", tmp_path / "p.jsonl") == own
    (tmp_path / "test.jsonl").write_text(json.dumps({"question": "q", "answer": "#### 4"}))
    assert word_problems.load("gsm8k", tmp_path, "test")[0].uid == "gsm8k-test-0"
    with pytest.raises(
        UserError, match="no data set 'gsm9k'; expected one of gsm8k, svamp, asdiv, multiarith, math_pre"
    ):
        word_problems.load("gsm9k", tmp_path)
    with pytest.raises(UserError, match="'svamp' needs a path"):
        word_problems.load("svamp")


def test_the_real_sets_have_their_sizes_and_answers(shared_data):
    sizes = {"svamp": 1000, "asdiv": 2215, "multiarith": 600}
    for name, size in sizes.items():
        problems = word_problems.load(name, shared_data / "ood" / f"{name}.jsonl")
        assert len(problems) == size == len({p.uid for p in problems})
        assert all(p.answer and p.question for p in problems)
    path = shared_data / "ood" / "math_prealgebra_test.jsonl"
    problems = word_problems.load_math_prealgebra(path)
    assert len(problems) == 771 and len(word_problems.load_math_prealgebra(path, keep_diagrams=True)) == 871
    assert not [
        p.uid for p in problems if "\\frac" in p.question + p.answer or "\\text" in p.answer or "$$" in p.question
    ]
    values = [answers.answer_key(p.answer) for p in problems]
    assert sum(not isinstance(value, str) for value in values) > 650
    assert sum(answers.extract_answer(p.solution) is not None for p in problems) == 771
