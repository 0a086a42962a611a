"""The OOD sets as they were published: their answers, uids and sizes, and one clear line for each mistake."""

import json
import pathlib

import pytest

from procsup_jax import records
from procsup_jax.data import word_problems
from procsup_jax.errors import UserError
from procsup_jax.types import Problem

SVAMP = {"Body": "Ann has 3 apples. ", "Question": "How many?", "Answer": 3.0, "ID": "chal-7", "Type": "Sum"}
ASDIV = {"body": "Two cats.", "question": "How many? ", "answer": "2 (cats)", "formula": "2=2"}
MULTIARITH = {"input": "2 + 2? ", "target": 4}
SOLVED = {"iIndex": 3, "sQuestion": " 2 + 2?", "lEquations": ["X=2+2"], "lSolutions": [4.0]}
MATH = {"problem": r"Find $\frac{1}{2}+1$.", "solution": r"It is $\boxed{\dfrac{3}{2}}$.", "level": "Level 1"}


def _file(tmp_path: pathlib.Path, *rows: dict) -> pathlib.Path:
    path = tmp_path / "d.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _array(tmp_path: pathlib.Path, *rows: dict) -> pathlib.Path:
    path = tmp_path / "d.json"
    path.write_text(json.dumps(rows, indent=2))
    return path


def test_svamp(tmp_path: pathlib.Path):
    rows = [SVAMP, SVAMP | {"ID": "chal-8", "Answer": 2.5}, SVAMP | {"ID": "chal-9", "Answer": 1e16}]
    problems = word_problems.load_svamp(_file(tmp_path, *rows))
    assert problems[0] == Problem("svamp-chal-7", "Ann has 3 apples. How many?", "3", None, {"Type": "Sum"})
    assert [p.answer for p in problems] == ["3", "2.5", "1" + "0" * 16]
    assert word_problems.load_svamp(_array(tmp_path, *rows)) == problems
    with pytest.raises(UserError, match=r"d\.jsonl:2: ID 'chal-7' stands in line 1 already"):
        word_problems.load_svamp(_file(tmp_path, SVAMP, SVAMP))
    with pytest.raises(UserError, match=r"d\.json: row 1 of the array: ID 'chal-7' stands in row 0 already"):
        word_problems.load_svamp(_array(tmp_path, SVAMP, SVAMP))


def test_svamp_as_on_the_hub(tmp_path: pathlib.Path):
    whole = "Ann has 3 apples. How many?"
    row = SVAMP | {"Answer": "3.0", "question_concat": whole}
    bodiless = {name: value for name, value in row.items() if name not in ("Body", "Question")} | {"ID": "chal-8"}
    problems = word_problems.load_svamp(_file(tmp_path, row, bodiless))
    assert [(p.question, p.answer, p.extra) for p in problems] == [(whole, "3", {"Type": "Sum"})] * 2


@pytest.mark.parametrize(
    ("answer", "normal"),
    [("9 (apples)", "9"), ("14  (seats)", "14"), ("1,200 (km)", "1200"), ("Mrs. Hilt", "Mrs. Hilt"), ("5:45", "5:45")]
    + [("-(1/3)", "-1/3"), ("3/7", "3/7"), ("2.50 (dollars)", "2.5"), ("3:30 p.m.", "3:30 p.m")],
)
def test_asdiv_drops_units_and_keeps_other_answers(tmp_path: pathlib.Path, answer, normal):
    problem = word_problems.load_asdiv(_file(tmp_path, ASDIV | {"answer": answer}))[0]
    assert (problem.uid, problem.question, problem.answer) == ("asdiv-0", "Two cats. How many?", normal)
    assert problem.extra == {"formula": "2=2"}


ASDIV_XML = """<?xml version="1.0" encoding="UTF-8"?>
<Machine-Reading-Corpus-File>
  <ProblemSet>
    <Problem ID="nluds-0001" Grade="1" Source="http://www.k5learning.com">
      <Body>Two cats &amp; a dog.</Body>
      <Question>How many
        cats?</Question>
      <Solution-Type>Addition</Solution-Type>
      <Answer>2 (cats)</Answer>
      <Formula>2=2</Formula>
    </Problem>
    <Problem ID="nluds-0002"><Body>b</Body><Question>q</Question><Answer>3/7</Answer></Problem>
  </ProblemSet>
</Machine-Reading-Corpus-File>
"""
BOMB = """<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]>
<a><Problem><Body>&c;</Body><Question>q</Question><Answer>3</Answer></Problem></a>"""


def test_asdiv_as_its_xml(tmp_path: pathlib.Path):
    path = tmp_path / "ASDiv.xml"
    path.write_text(ASDIV_XML)
    extra = {"grade": "1", "source": "http://www.k5learning.com", "solution_type": "Addition", "formula": "2=2"}
    assert word_problems.load("asdiv", path) == [
        Problem("asdiv-nluds-0001", "Two cats & a dog. How many cats?", "2", None, extra),
        Problem("asdiv-nluds-0002", "b q", "3/7"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "it defines entities"),
        ('<?xml version="1.0" encoding="U1F-8"?><a/>', "unknown encoding: U1F-8"),
        (BOMB.replace('"bbbbbbbbbb"', 'SYSTEM "file:///etc/passwd"'), "it defines entities"),
        ("<a><Problem></a>", "mismatched tag"),
        ("<a></a>", "it holds no Problem"),
        ("<a><Problem ID='n-1'><Body>b</Body></Problem></a>", 'Problem n-1: "question" is missing, expected a string'),
    ],
)
def test_xml_that_is_not_asdivs_is_one_clear_line(tmp_path: pathlib.Path, text, message):
    path = tmp_path / "ASDiv.xml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        word_problems.load("asdiv", path)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("dataset", ["multiarith", "addsub", "singleeq"])
def test_sets_with_equations(tmp_path: pathlib.Path, dataset):
    for path in (
        _file(tmp_path, MULTIARITH, MULTIARITH),
        _array(tmp_path, SOLVED, SOLVED),
        _file(tmp_path, *[{"question": "2 + 2?", "final_ans": "4"}] * 2),
    ):
        problems = word_problems.load(dataset, path)
        assert [(p.uid, p.question, p.answer) for p in problems] == [
            (f"{dataset}-{i}", "2 + 2?", "4") for i in range(2)
        ]
    published = word_problems.load(dataset, _array(tmp_path, SOLVED))
    assert published[0].extra == {"iIndex": 3, "lEquations": ["X=2+2"]}
    with pytest.raises(UserError, match=r'row 0 of the array: "lSolutions" is \[1, 2\], expected a list of one number'):
        word_problems.load(dataset, _array(tmp_path, SOLVED | {"lSolutions": [1, 2]}))


@pytest.mark.parametrize(
    ("dataset", "row", "message"),
    [
        ("svamp", {"Body": "b", "Question": "q", "ID": "i"}, '"Answer" is missing, expected a number'),
        ("svamp", SVAMP | {"Answer": "three"}, '"Answer" is "three", expected a number'),
        ("asdiv", {"body": "b", "answer": "2"}, '"question" is missing, expected a string'),
        ("multiarith", {"input": 3, "target": 4}, '"input" is 3, expected a string'),
        ("math_prealgebra", MATH | {"solution": "It is 3."}, r'"solution" has no \\boxed{...}'),
        ("jsonl", {"uid": "p"}, '"question" is missing'),
    ],
)
def test_a_bad_line_is_named(tmp_path: pathlib.Path, dataset, row, message):
    with pytest.raises(UserError, match=rf"d\.jsonl:1: {message}"):
        word_problems.load(dataset, _file(tmp_path, row))


@pytest.mark.parametrize("dataset", [*word_problems.NAMES, "jsonl", "gsm8k"])
@pytest.mark.parametrize("text", ["", "\n\n", "[]", " [ ]\n"])
def test_an_empty_file_is_refused(tmp_path: pathlib.Path, dataset, text):
    path = tmp_path / "test.jsonl"
    path.write_text(text)
    with pytest.raises(UserError, match=r"test\.jsonl is empty: expected the data set's file"):
        word_problems.load(dataset, path)


def test_load_knows_every_set_by_name(tmp_path: pathlib.Path):
    assert word_problems.load("multiarith", _file(tmp_path, MULTIARITH))[0].uid == "multiarith-0"
    own = [Problem("p", "q", "4", "#### 4")]
    records.write_problems(tmp_path / "p.jsonl", own)
    assert word_problems.load("jsonl", tmp_path / "p.jsonl") == own
    (tmp_path / "test.jsonl").write_text(json.dumps({"question": "q", "answer": "#### 4"}))
    assert word_problems.load("gsm8k", tmp_path, "test")[0].uid == "gsm8k-test-0"
    for unknown in ("gsm9k", "prealgebra", "math_", "math_logic"):
        with pytest.raises(
            UserError, match=f"no data set '{unknown}'; expected one of gsm8k, svamp, asdiv, multiarith"
        ):
            word_problems.load(unknown, tmp_path)
    with pytest.raises(UserError, match="'svamp' needs a path"):
        word_problems.load("svamp")


def test_the_real_sets_have_their_sizes_and_answers(shared_data):
    sizes = {"svamp": 1000, "asdiv": 2215, "multiarith": 600}
    for name, size in sizes.items():
        problems = word_problems.load(name, shared_data / "ood" / f"{name}.jsonl")
        assert len(problems) == size == len({p.uid for p in problems})
        assert all(p.answer and p.question for p in problems)
