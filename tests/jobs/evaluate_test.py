import dataclasses
import json
import pathlib
import subprocess
import sys

import pytest

from procsup_jax import records
from procsup_jax.errors import UserError
from procsup_jax.evals.evaluate import evaluate
from procsup_jax.evals.table import table
from procsup_jax.jobs import data, grade, label, vote
from procsup_jax.jobs.evaluate import EvaluateFlags, run
from procsup_jax.searching import decodings
from procsup_jax.searching.aggregate import to_scores
from procsup_jax.text import answers
from procsup_jax.types import Problem, Sample, Score, StepLabels

PROBLEMS = [Problem("a", "?", "1"), Problem("b", "?", "2")]
SOLUTIONS = {"x\n#### 1": "1", "x\n#### 2": "2", "x\ny": None}
SAMPLES = [Sample(uid, i, solution, answer) for uid in "ab" for i, (solution, answer) in enumerate(SOLUTIONS.items())]
GREEDY = [decodings.mark(Sample(uid, 0, "x\n#### 1", "1"), "greedy") for uid in "ab"]
SCORES = to_scores(SAMPLES, [(0.5, sample.sample / 4) for sample in SAMPLES], "last", None)


def labels_of(rater, first_error):
    return [
        StepLabels(sample.problem_uid, sample.sample, first_error, 2, rater, "human", decoding=sample.decoding)
        for sample in (*SAMPLES, *GREEDY)
    ]


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def flags(paths, **others):
    return EvaluateFlags(paths["output"], paths["problems"], [paths["samples"]], **others)


@pytest.fixture
def paths(tmp_path):
    found = {name: tmp_path / f"{name}.jsonl" for name in ("problems", "samples", "scores", "first", "second")}
    records.write_problems(found["problems"], PROBLEMS)
    records.write_samples(found["samples"], [*SAMPLES, *GREEDY])
    records.write_scores(found["scores"], SCORES)
    records.write_labels(found["first"], labels_of("first", -1))
    records.write_labels(found["second"], labels_of("second", 1))
    return {**found, "output": tmp_path / "made" / "result.json"}


def test_files_give_what_records_give(paths, capsys):
    both, judges = [paths["first"], paths["second"]], [f"orm={paths['scores']}", f"prm={paths['scores']}"]
    result = run(flags(paths, scores=judges, labels=both, seed=3))
    labels = [*labels_of("first", -1), *labels_of("second", 1)]
    expected = evaluate(PROBLEMS, [*SAMPLES, *GREEDY], {"orm": SCORES, "prm": SCORES}, labels, seed=3)
    answered = {"reading": "flexible", "added": 0, "contradicting": 0}
    assert json.loads(paths["output"].read_text()) == result == {**expected, "answers": answered, "left_out": 0}
    assert capsys.readouterr().out == table(expected) + "\n"
    greedy = result["decoding"]["greedy"]
    assert (greedy["trace_error"], greedy["trace_error_min"], greedy["trace_error_max"]) == (0.5, 0.0, 1.0)


def test_only_problems_and_samples_are_needed(paths):
    run(flags(paths))
    result = json.loads(paths["output"].read_text())
    assert result["decoding"].keys() == {"greedy", "majority"}
    assert result["decoding"]["greedy"]["final_answer_error"] == 0.5
    assert result["decoding"]["greedy"]["trace_error"] is None


def test_mismatched_files_stop_the_job_before_anything_is_written(paths):
    records.write_scores(paths["scores"], SCORES[1:])
    with pytest.raises(UserError, match="1 of 6 samples have no score by orm"):
        run(flags(paths, scores=[f"orm={paths['scores']}"]))
    assert not paths["output"].exists()


def test_samples_and_scores_may_lie_in_several_files(paths):
    whole = run(flags(paths, scores=[f"orm={paths['scores']}"]))
    records.write_samples(paths["samples"], SAMPLES[:4])
    records.write_samples(paths["first"], [*SAMPLES[4:], *GREEDY])
    records.write_scores(paths["scores"], SCORES[:1])
    records.write_scores(paths["second"], SCORES[1:])
    scores = [f"orm={paths[name]}" for name in ("scores", "second")]
    parts = EvaluateFlags(paths["output"], paths["problems"], [paths["samples"], paths["first"]], scores)
    assert run(parts) == whole
    with pytest.raises(UserError, match="1 scores by orm are given twice"):
        run(dataclasses.replace(parts, scores=[*scores, scores[0]]))


def test_a_raters_file_given_twice_is_refused(paths):
    with pytest.raises(UserError, match="labels are given twice"):
        run(flags(paths, labels=[paths["first"], paths["first"]]))


def test_bad_lines_stop_the_job_or_are_left_out_with_what_hangs_on_them(paths, capsys):
    lines = paths["samples"].read_text().splitlines(keepends=True)
    paths["samples"].write_text("".join([lines[0], "{broken\n", *lines[2:]]))
    arguments = {"scores": [f"orm={paths['scores']}"], "labels": [paths["first"]]}
    with pytest.raises(UserError, match="samples.jsonl:2: "):
        run(flags(paths, **arguments))
    result = run(flags(paths, **arguments, skip_bad=True))
    assert result["left_out"] == 1
    assert result["samples_per_problem"] == [2, 3]
    assert "left out 1 bad lines" in capsys.readouterr().out
    records.write_scores(paths["scores"], SCORES)
    scores = paths["scores"].read_text().splitlines(keepends=True)
    paths["scores"].write_text("".join(["{}\n", *scores[1:]]))
    result = run(flags(paths, **arguments, skip_bad=True))
    assert (result["left_out"], result["samples_per_problem"]) == (2, [1, 3])
    paths["samples"].write_text("".join(["{broken\n", *lines[1:]]).replace(lines[-1], "{broken\n"))
    result = run(flags(paths, **arguments, skip_bad=True))
    assert (result["left_out"], result["n"]) == (3, 1)  # b lost its greedy solution
    assert "with them 1 problems and" in capsys.readouterr().out


def test_the_job_needs_no_jax():
    code = "import sys, procsup_jax.jobs.evaluate, procsup_jax.improve.collect; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


BENCH = [
    {"id": f"x-{i}", "generator": "g", "problem": "?", "steps": steps, "final_answer_correct": i == 1, "label": label}
    for i, (steps, label) in enumerate([(["a\n\nb", "", "c"], 1), (["a", "b"], -1)])
]


def scored(path, probs):
    records.write_scores(path, [Score(uid, 0, tuple(each), each[-1], "last") for uid, each in probs.items()])
    return path


def test_processbench_goes_from_its_file_to_samples_and_from_their_scores_to_figures(tmp_path, capsys):
    bench, samples = tmp_path / "bench.jsonl", tmp_path / "s.jsonl"
    bench.write_text("".join(json.dumps(line) + "\n" for line in BENCH))
    data.run(data.DataFlags("processbench", tmp_path / "p.jsonl", bench, samples_output=samples))
    found = records.read_samples(samples)
    assert [list(sample.steps) for sample in found] == [line["steps"] for line in BENCH]
    assert [(sample.problem_uid, sample.policy) for sample in found] == [("x-0", "g"), ("x-1", "g")]
    good = scored(tmp_path / "good.jsonl", {"x-0": (0.9, 0.2, 0.9), "x-1": (0.6, 0.7)})
    bad = scored(tmp_path / "bad.jsonl", {"x-0": (0.9, 0.9, 0.2), "x-1": (0.6, 0.4)})
    chosen = EvaluateFlags(
        tmp_path / "r.json", scores=[f"good={good}", f"bad={bad}"], dataset="processbench", path=bench
    )
    result = run(chosen)
    assert json.loads((tmp_path / "r.json").read_text()) == result
    assert [result["judges"][judge]["f1"] for judge in ("good", "bad")] == [1.0, 0.0]
    lines = capsys.readouterr().out.splitlines()
    assert next(line for line in lines if line.startswith("good")).split()[1] == "100.0"
    result = run(dataclasses.replace(chosen, threshold_path=bench))
    assert 0.2 < result["judges"]["good"]["threshold"] < 0.6
    scored(bad, {"x-0": (0.9, 0.9, 0.2)})
    with pytest.raises(UserError, match="1 of 2 ProcessBench solutions have no score by bad, first 'x-1'"):
        run(chosen)
    scored(bad, {"x-0": (0.9, 0.2), "x-1": (0.6, 0.4)})
    with pytest.raises(UserError, match="solution 'x-0' has 2 step scores, expected 3"):
        run(chosen)


@pytest.mark.parametrize("given", [{}, {"dataset": "processbench"}, {"problems": pathlib.Path("p.jsonl")}])
def test_what_is_missing_is_named(tmp_path, given):
    with pytest.raises(UserError, match="procsup evaluate.* needs --p"):
        run(EvaluateFlags(tmp_path / "r.json", **given))


@pytest.mark.parametrize(
    ("samples", "answered", "error"),
    [
        # without the key, as other tools write them
        ([Sample("a", 0, "#### 1"), Sample("b", 0, "1 + 1\n#### 2")], (2, 0), 0.0),
        # one that says other than the solution, in either direction
        ([Sample("a", 0, "#### 1", "7"), Sample("b", 0, "#### 7", "2")], (0, 2), 0.5),
        ([Sample("a", 0, "#### 1", "1"), Sample("b", 0, "nothing", "2")], (0, 1), 0.5),
    ],
)
def test_every_job_has_one_verdict_on_an_answer(paths, samples, answered, error, capsys):
    records.write_samples(paths["samples"], samples)
    result = run(flags(paths))
    assert (result["answers"]["added"], result["answers"]["contradicting"]) == answered
    assert result["decoding"]["majority"]["final_answer_error"] == error
    warned = capsys.readouterr().err
    assert ('samples have an "answer" that contradicts their solution' in warned) == (answered[1] > 0)
    label.run(paths["problems"], paths["samples"], paths["first"])
    labels = {each.problem_uid: each.trace_correct for each in records.read_labels(paths["first"])}
    grade.run(paths["problems"], paths["samples"], paths["second"])
    graded = {line["problem_uid"]: line["correct"] for line in lines_of(paths["second"])}
    vote.run(vote.VoteFlags(paths["output"], [paths["samples"]]))
    voted = {line["problem_uid"]: line["choices"]["majority"] for line in lines_of(paths["output"])}
    right = {uid: answers.same_answer(each["answer"], {"a": "1", "b": "2"}[uid]) for uid, each in voted.items()}
    assert labels == graded == right == {"a": True, "b": error == 0}


def test_a_problem_may_hold_its_whole_trace_as_its_answer(paths):
    records.write_problems(paths["problems"], [Problem("a", "?", "0 + 1 = 1\n#### 1"), Problem("b", "?", "#### 2")])
    records.write_samples(paths["samples"], [Sample("a", 0, "#### 1"), Sample("b", 0, "#### 2")])
    assert run(flags(paths))["decoding"]["majority"]["final_answer_error"] == 0.0
    label.run(paths["problems"], paths["samples"], paths["first"])
    assert [each.trace_correct for each in records.read_labels(paths["first"])] == [True, True]
    records.write_problems(paths["problems"], [Problem("a", "?", "1"), Problem("b", "?", "")])
    for job in (lambda: run(flags(paths)), lambda: label.run(paths["problems"], paths["samples"], paths["first"])):
        with pytest.raises(UserError, match="1 of 2 problems have no final answer, first problem 'b'"):
            job()


def test_strict_answers_stand_behind_the_layouts_marker(paths, capsys):
    records.write_samples(paths["samples"], [Sample("a", 0, "#### 1", "1"), Sample("b", 0, "\\boxed{2}", "2")])
    errors = [
        run(flags(paths, **chosen))["decoding"]["majority"]["final_answer_error"]
        for chosen in ({}, {"answers": "strict"}, {"answers": "strict", "layout": "paragraphs"})
    ]
    assert errors == [0.0, 0.5, 0.5]
    assert "contradicts" not in capsys.readouterr().err


def test_selective_error_does_not_follow_uids(paths):
    found = []
    for wrong in ("ab", "yz"):
        problems = [Problem(uid, "?", "1") for uid in "abyz"]
        records.write_problems(paths["problems"], problems)
        solutions = [Sample(uid, i, f"#### {2 if uid in wrong else 1}") for uid in "abyz" for i in range(2)]
        records.write_samples(paths["samples"], solutions)
        found.append(run(flags(paths))["decoding"]["majority"])
    assert found[0] == found[1]
    assert [error for _, error in found[0]["selective"]] == [0.5] * 9 + [None]


def test_a_file_of_processbench_without_solutions_is_refused(tmp_path):
    (tmp_path / "bench.jsonl").write_text("\n")
    scores = scored(tmp_path / "s.jsonl", {"x-0": (0.9,)})
    with pytest.raises(UserError, match="bench.jsonl holds no ProcessBench solutions"):
        run(
            EvaluateFlags(
                tmp_path / "r.json", scores=[f"rm={scores}"], dataset="processbench", path=tmp_path / "bench.jsonl"
            )
        )
