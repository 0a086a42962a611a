"""MATH: plain text, and one subject of a file or of the folder."""

import json
import pathlib

import pytest

from procsup_jax.data.math_problems import SUBJECTS, load_math
from procsup_jax.data.word_problems import load
from procsup_jax.errors import UserError
from procsup_jax.text import answers

MATH = {"problem": r"Find $\frac{1}{2}+1$.", "solution": r"It is $\boxed{\dfrac{3}{2}}$.", "level": "Level 1"}


def _file(tmp_path: pathlib.Path, *rows: dict) -> pathlib.Path:
    path = tmp_path / "d.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_math_is_plain_text_with_the_boxed_answer(tmp_path: pathlib.Path):
    solution = "See [asy]\ndraw(box);\n[/asy] \\boxed{1} or rather \\boxed{10{,}000\\text{ cm}}"
    problems = load_math(_file(tmp_path, MATH, MATH | {"solution": solution}))
    assert (problems[0].question, problems[0].answer) == ("Find 1/2+1.", "3/2")
    assert problems[0].solution == r"It is \boxed{3/2}."
    assert answers.extract_answer(problems[0].solution) == "3/2"
    assert problems[1].answer == "10,000 cm" and "draw" not in problems[1].solution
    assert problems[0].extra == {"level": "Level 1", "diagram": False}


def test_problems_with_diagrams_are_left_out_unless_kept(tmp_path: pathlib.Path):
    diagram = MATH | {"problem": "See [asy] draw(box); [/asy]"}
    path = _file(tmp_path, MATH, diagram, MATH)
    assert [p.uid for p in load_math(path)] == ["math-prealgebra-0", "math-prealgebra-2"]
    assert [p.extra["diagram"] for p in load_math(path, keep_diagrams=True)] == [False, True, False]


def test_other_subjects_are_left_out_and_counted(tmp_path: pathlib.Path, capsys):
    kinds = [
        {"type": "Algebra"},
        {"type": "Prealgebra"},
        {"subject": "Counting & Probability"},
        {"subject": "Prealgebra"},
    ]
    path = _file(tmp_path, *(MATH | kind for kind in kinds))
    assert [p.uid for p in load_math(path)] == ["math-prealgebra-1", "math-prealgebra-3"]
    line = "d.jsonl: 2 of 4 problems are of other subjects (Algebra 1, Counting & Probability 1) and left out\n"
    assert capsys.readouterr().err.endswith(line)
    found = load("math_counting_and_probability", path)
    assert [p.uid for p in found] == ["math-counting-and-probability-2"]


def test_a_file_of_another_subject_is_refused(tmp_path: pathlib.Path):
    algebra = {"problem": r"What is $\frac{1}{2}+\frac14$?", "solution": r"It is $\boxed{\frac{3}{4}}$."}
    path = _file(tmp_path, algebra | {"level": "Level 1", "type": "Algebra"})
    with pytest.raises(
        UserError, match=r"1 of 1 problems are of other subjects \(Algebra 1\), expected some of Prealg"
    ):
        load("math_prealgebra", path)
    assert load("math_algebra", path)[0].answer == "3/4"


def test_an_answer_of_the_hubs_rows_is_that_of_the_solution(tmp_path: pathlib.Path):
    row = MATH | {"answer": r"\frac{3}{2}", "subject": "Prealgebra", "level": 1, "unique_id": "test/prealgebra/7.json"}
    (problem,) = load_math(_file(tmp_path, row))
    assert problem.answer == "3/2"
    assert problem.extra == {"subject": "Prealgebra", "level": 1, "unique_id": row["unique_id"], "diagram": False}


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    for split in ("train", "test"):
        for subject, name in SUBJECTS.items():
            for number in (2, 10, 1):
                place = tmp_path / "MATH" / split / subject / f"{number}.json"
                place.parent.mkdir(parents=True, exist_ok=True)
                text = json.dumps(MATH | {"type": name, "level": f"{split} {number}"}, indent=1)
                place.write_text(text)
    return tmp_path / "MATH"


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_folder_gives_the_subject_asked_for(folder, subject, capsys):
    found = load(f"math_{subject}", folder, "train")
    assert [p.uid for p in found] == [f"math-{subject.replace('_', '-')}-{number}" for number in (1, 2, 10)]
    assert [p.extra["level"] for p in found] == ["train 1", "train 2", "train 10"]
    assert capsys.readouterr().err == ""


def test_a_split_or_a_subject_may_be_given_too(folder):
    whole = load("math_geometry", folder)
    assert [p.extra["level"] for p in whole] == ["test 1", "test 2", "test 10"]
    assert load("math_geometry", folder / "test") == load("math_geometry", folder / "test" / "geometry") == whole
    with pytest.raises(UserError, match="3 of 3 problems are of other subjects"):
        load("math_algebra", folder / "test" / "geometry")


def test_what_is_not_maths_folder_is_one_clear_line(folder):
    with pytest.raises(UserError, match=r"has no valid/prealgebra/N\.json; expected MATH's folder as published"):
        load("math_prealgebra", folder, "valid")
    (folder / "test" / "prealgebra" / "2.json").write_text("[1]")
    with pytest.raises(UserError, match=r"2\.json: is \[1\], expected an object"):
        load("math_prealgebra", folder)
    (folder / "test" / "prealgebra" / "2.json").write_text("{")
    with pytest.raises(UserError, match=r"2\.json is no JSON"):
        load("math_prealgebra", folder)


def test_the_real_set_has_its_size_and_answers(shared_data):
    path = shared_data / "ood" / "math_prealgebra_test.jsonl"
    problems = load_math(path)
    assert len(problems) == 771 and len(load_math(path, keep_diagrams=True)) == 871
    assert not [
        p.uid for p in problems if "\\frac" in p.question + p.answer or "\\text" in p.answer or "$$" in p.question
    ]
    values = [answers.answer_key(p.answer) for p in problems]
    assert sum(not isinstance(value, str) for value in values) > 650
    assert sum(answers.extract_answer(p.solution) is not None for p in problems) == 771
