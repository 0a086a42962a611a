"""The grade job: its verdicts, its file, its summary, and that it starts without the heavy libraries."""

import json
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from procsup_jax import records
from procsup_jax.data import gsm8k, word_problems
from procsup_jax.errors import UserError
from procsup_jax.jobs import grade
from procsup_jax.types import Problem, Sample

PROBLEMS = [Problem("a", "2+2?", "4", "2+2=<<2+2=4>>4\n#### 4"), Problem("b", "9*3?", "27", "<<9*3=27>>\n#### 27")]


def lines(path: pathlib.Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def files(tmp_path: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path, pathlib.Path]:
    paths = tmp_path / "p.jsonl", tmp_path / "s.jsonl", tmp_path / "g.jsonl"
    samples = [
        Sample("a", 0, "2+2=<<2+2=5>>5\n#### 4.00", None, -1.5, extra={"note": "kept"}),
        Sample("b", 0, "<<9*3=27>>\n#### -27", "27"),
        Sample("b", 1, "I do not know", "27"),
    ]
    records.write_problems(paths[0], PROBLEMS)
    records.write_samples(paths[1], samples)
    return paths


def test_verdicts_file_and_summary(files, capsys):
    problems, samples, output = files
    summary = grade.run(problems, samples, output)
    assert summary == {"n": 3, "correct": 1, "strict": 1, "flexible": 1, "no_answer": 1, "faults": 1, "left_out": 0}
    line = capsys.readouterr().out
    assert line == (
        "3 solutions: 1 correct (33.3 %; read strictly 33.3 %, flexibly 33.3 %), 1 without an answer (33.3 %), "
        "1 calculator faults; 0 left out\n"
    )
    first, second, third = lines(output)
    assert (first["answer"], first["correct"], first["steps"]) == ("4", True, ["2+2=<<2+2=5>>5", "#### 4.00"])
    assert first["calculator_faults"] == [{"step": 0, "expression": "2+2", "written": "5", "value": "4"}]
    assert (first["logprob"], first["note"]) == (-1.5, "kept")
    assert (second["answer"], second["correct"]) == ("-27", False)
    assert (third["answer"], third["correct"], third["marker"]) == (None, False, None)
    assert [line["marker"] for line in (first, second)] == ["####", "####"]
    assert set(second) == {
        *("problem_uid", "sample", "solution", "answer", "steps", "correct", "calculator_faults"),
        *("correct_strict", "correct_flexible", "marker"),
    }


def test_without_samples_the_references_are_graded(files):
    problems, _, output = files
    assert grade.run(problems, output=output)["correct"] == 2
    graded = lines(output)
    assert [(g["problem_uid"], g["sample"], g["policy"]) for g in graded] == [
        ("a", 0, "reference"),
        ("b", 0, "reference"),
    ]


def test_grading_twice_writes_the_same_bytes(files):
    problems, samples, output = files
    grade.run(problems, samples, output)
    before = output.read_bytes()
    grade.run(problems, samples, output)
    assert output.read_bytes() == before


def test_a_sample_of_an_unknown_problem_is_named_or_left_out(files):
    problems, samples, output = files
    records.write_samples(samples, [Sample("a", 0, "#### 4"), Sample("x", 0, "#### 4")])
    with pytest.raises(UserError, match=r's\.jsonl:2: "problem_uid" is "x"'):
        grade.run(problems, samples, output)
    assert not output.exists()
    assert grade.run(problems, samples, output, skip_bad=True) == {
        **{"n": 1, "correct": 1, "strict": 1, "flexible": 1, "no_answer": 0, "faults": 0, "left_out": 1}
    }


def test_a_problem_without_a_reference_is_named_or_left_out(files):
    problems, _, output = files
    records.write_problems(problems, [*PROBLEMS, Problem("c", "why?", "0")])
    with pytest.raises(UserError, match="problem 'c' has no \"solution\" to grade; .*--samples"):
        grade.run(problems, output=output)
    assert grade.run(problems, output=output, skip_bad=True)["left_out"] == 1


def test_an_empty_file_is_graded_without_a_share(files, capsys):
    problems, samples, output = files
    samples.write_text("")
    assert grade.run(problems, samples, output)["n"] == 0
    assert capsys.readouterr().out.startswith("0 solutions: 0 correct, ")


def test_importing_grade_imports_nothing_heavy():
    heavy = ("jax", "flax", "numpy", "sentencepiece", "absl", "tensorflow", "orbax", "ml_collections")
    code = f"import sys, procsup_jax.jobs.grade; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_reference_of_gsm8k_is_right_in_under_two_seconds(shared_data, tmp_path: pathlib.Path):
    problems = [p for split in gsm8k.SPLITS for p in gsm8k.load_gsm8k(split, shared_data / "gsm8k")]
    records.write_problems(tmp_path / "p.jsonl", problems)
    code = f"import pathlib; from procsup_jax.jobs import grade; d = pathlib.Path({str(tmp_path)!r})\n"
    code += "import json, time; print(json.dumps(grade.run(d / 'p.jsonl', output=d / 'g.jsonl'))); "
    code += "print(time.process_time())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    _, summary, processor_s = done.stdout.splitlines()
    assert json.loads(summary) == {
        **{"n": 8792, "correct": 8792, "strict": 8792, "flexible": 8792, "no_answer": 0, "faults": 2, "left_out": 0}
    }
    # Processor time, interpreter start included: wall time would measure the machine's other work too.
    assert float(processor_s) < 2
    faults = [f for g in lines(tmp_path / "g.jsonl") for f in g["calculator_faults"]]
    assert [f["expression"] for f in faults] == ["560//10", "180//3"]


def test_both_readings_are_counted_and_one_decides(files, capsys):
    problems, samples, output = files
    texts = ["#### 4", "The answer is 4.", "\\boxed{4}", "####\n4", "#### 5", "I do not know"]
    records.write_samples(samples, [Sample("a", i, text) for i, text in enumerate(texts)])
    counts = {"n": 6, "strict": 1, "flexible": 4, "faults": 0, "left_out": 0}
    assert grade.run(problems, samples, output) == counts | {"correct": 4, "no_answer": 1}
    assert [line["marker"] for line in lines(output)] == ["####", "the answer is", "boxed", "####", "####", None]
    assert grade.run(problems, samples, output, answers_="strict") == counts | {"correct": 1, "no_answer": 4}
    graded = lines(output)
    assert [line["correct"] for line in graded] == [True] + [False] * 5
    assert [line["correct_strict"] for line in graded] == [True] + [False] * 5
    assert [line["correct_flexible"] for line in graded] == [True] * 4 + [False] * 2
    assert [line["answer"] for line in graded] == ["4", None, None, None, "5", None]
    assert (
        "1 correct (16.7 %; read strictly 16.7 %, flexibly 66.7 %), 4 without an answer (66.7 %)"
        in (capsys.readouterr().out.splitlines()[-1])
    )


def test_the_layouts_marker_is_the_strict_one(files):
    problems, samples, output = files
    records.write_samples(samples, [Sample("a", 0, "\\boxed{4}"), Sample("a", 1, "#### 4")])
    summary = grade.run(problems, samples, output, layout="paragraphs", answers_="strict")
    assert (summary["strict"], summary["flexible"]) == (1, 2)


def test_a_problems_answer_may_be_a_trace_and_an_empty_one_is_refused(files):
    problems, samples, output = files
    records.write_problems(problems, [Problem("a", "2+2?", "2+2 is\n#### 4"), Problem("b", "9*3?", "27")])
    records.write_samples(samples, [Sample("a", 0, "#### 4"), Sample("b", 0, "#### 27")])
    assert grade.run(problems, samples, output)["correct"] == 2
    records.write_problems(problems, [Problem("a", "2+2?", " "), Problem("b", "9*3?", "27")])
    with pytest.raises(UserError, match="1 of 2 problems have no final answer, first problem 'a'"):
        grade.run(problems, samples, output)
    assert grade.run(problems, samples, output, skip_bad=True)["left_out"] == 2


def test_math_and_its_latex_originals_are_all_right(shared_data, tmp_path: pathlib.Path):
    path = shared_data / "ood" / "math_prealgebra_test.jsonl"
    problems = word_problems.load("math_prealgebra", path)
    records.write_problems(tmp_path / "p.jsonl", problems)
    assert grade.run(tmp_path / "p.jsonl")["correct"] == 771
    published = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    originals = [row["solution"] for row in published if "[asy]" not in row["problem"]]
    pairs = zip(problems, originals, strict=True)
    records.write_samples(tmp_path / "s.jsonl", [Sample(problem.uid, 0, text) for problem, text in pairs])
    assert grade.run(tmp_path / "p.jsonl", tmp_path / "s.jsonl")["correct"] == 771


def test_symbolic_equality_is_asked_for(files):
    pytest.importorskip("math_verify")
    problems, samples, output = files
    records.write_problems(problems, [Problem("a", "2+2?", "x+4")])
    records.write_samples(samples, [Sample("a", 0, "#### 4+x")])
    assert grade.run(problems, samples, output)["correct"] == 0
    assert grade.run(problems, samples, output, symbolic=True)["correct"] == 1


def test_paragraphs_of_another_system_and_given_steps_are_graded(tmp_path):
    records.write_problems(tmp_path / "p.jsonl", [Problem("a", "2+2?", "4")])
    text = "2+2 is\n2+2=<<2+2=4>>4\n\nSo \\boxed{4}"
    samples = [Sample("a", 0, text), Sample("a", 1, text, steps=("2+2 is", "2+2=<<2+2=4>>4", "So \\boxed{4}"))]
    records.write_samples(tmp_path / "s.jsonl", samples)
    paths = tmp_path / "p.jsonl", tmp_path / "s.jsonl", tmp_path / "g.jsonl"
    assert grade.run(*paths, layout="paragraphs")["correct"] == 2
    assert [len(line["steps"]) for line in lines(paths[2])] == [2, 3]
    grade.run(*paths)
    assert [len(line["steps"]) for line in lines(paths[2])] == [3, 3]
