import json
import subprocess
import sys

import pytest

from procsup_jax import records
from procsup_jax.errors import UserError
from procsup_jax.evals.evaluate import evaluate
from procsup_jax.evals.table import table
from procsup_jax.jobs.evaluate import run
from procsup_jax.search import decodings
from procsup_jax.search.aggregate import to_scores
from procsup_jax.types import Problem, Sample, StepLabels

PROBLEMS = [Problem("a", "?", "1"), Problem("b", "?", "2")]
SAMPLES = [Sample(uid, i, "x\n#### 1", answer) for uid in "ab" for i, answer in enumerate(["1", "2", None])]
GREEDY = [decodings.mark(Sample(uid, 0, "x\n#### 1", "1"), "greedy") for uid in "ab"]
SCORES = to_scores(SAMPLES, [(0.5, sample.sample / 4) for sample in SAMPLES], "last", None)


def labels_of(rater, first_error):
    return [
        StepLabels(sample.problem_uid, sample.sample, first_error, 2, rater, "human", decoding=sample.decoding)
        for sample in (*SAMPLES, *GREEDY)
    ]


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
    both = [paths["first"], paths["second"]]
    result = run(paths["problems"], paths["samples"], paths["output"], paths["scores"], paths["scores"], both, seed=3)
    labels = [*labels_of("first", -1), *labels_of("second", 1)]
    expected = evaluate(PROBLEMS, [*SAMPLES, *GREEDY], SCORES, SCORES, labels, seed=3)
    assert json.loads(paths["output"].read_text()) == result == {**expected, "left_out": 0}
    assert capsys.readouterr().out == table(expected) + "\n"
    greedy = result["decoding"]["greedy"]
    assert (greedy["trace_error"], greedy["trace_error_min"], greedy["trace_error_max"]) == (0.5, 0.0, 1.0)


def test_only_problems_and_samples_are_needed(paths):
    run(paths["problems"], paths["samples"], paths["output"])
    result = json.loads(paths["output"].read_text())
    assert result["decoding"].keys() == {"greedy", "majority"}
    assert result["decoding"]["greedy"]["final_answer_error"] == 0.5
    assert result["decoding"]["greedy"]["trace_error"] is None


def test_mismatched_files_stop_the_job_before_anything_is_written(paths):
    records.write_scores(paths["scores"], SCORES[1:])
    with pytest.raises(UserError, match="1 of 6 samples have no ORM score"):
        run(paths["problems"], paths["samples"], paths["output"], orm_scores=paths["scores"])
    assert not paths["output"].exists()


def test_a_raters_file_given_twice_is_refused(paths):
    with pytest.raises(UserError, match="labels are given twice"):
        run(paths["problems"], paths["samples"], paths["output"], labels=[paths["first"], paths["first"]])


def test_bad_lines_stop_the_job_or_are_left_out_with_what_hangs_on_them(paths, capsys):
    lines = paths["samples"].read_text().splitlines(keepends=True)
    paths["samples"].write_text("".join([lines[0], "{broken\n", *lines[2:]]))
    arguments = paths["problems"], paths["samples"], paths["output"], paths["scores"], None, [paths["first"]]
    with pytest.raises(UserError, match="samples.jsonl:2: "):
        run(*arguments)
    result = run(*arguments, skip_bad=True)
    assert result["left_out"] == 1
    assert result["samples_per_problem"] == [2, 3]
    assert "left out 1 bad lines" in capsys.readouterr().out
    records.write_scores(paths["scores"], SCORES)
    scores = paths["scores"].read_text().splitlines(keepends=True)
    paths["scores"].write_text("".join(["{}\n", *scores[1:]]))
    result = run(*arguments, skip_bad=True)
    assert (result["left_out"], result["samples_per_problem"]) == (2, [1, 3])
    paths["samples"].write_text("".join(["{broken\n", *lines[1:]]).replace(lines[-1], "{broken\n"))
    result = run(*arguments, skip_bad=True)
    assert (result["left_out"], result["n"]) == (3, 1)  # b lost its greedy solution
    assert "with them 1 problems and" in capsys.readouterr().out


def test_the_job_needs_no_jax():
    code = "import sys, procsup_jax.jobs.evaluate, procsup_jax.improve.collect; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
