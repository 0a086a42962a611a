"""Votes over more and more samples: measured on a run's models, then put together over runs."""

import csv
import json
import pathlib
import shutil
import subprocess
import sys

import pytest

from procsup_jax.errors import UserError

COMMAND = pathlib.Path(__file__).parents[2] / "experiments/findings/votes.py"


@pytest.fixture
def votes(findings_command):
    return lambda *args: findings_command("votes", *args)


def test_it_measures_a_run_by_the_first_samples_and_does_nothing_twice(votes, finished_run, tmp_path):
    args = finished_run, "--size=tiny", f"--output={tmp_path}"
    votes(*args, "--samples=3")
    kept = (tmp_path / "votes/shipped-0.json").read_text()
    found = json.loads(kept)
    assert found["samples"] == [1, 2, 3] and found["n"] == 4
    votes_and_best = {"majority", "orm_weighted", "prm_weighted", "orm_best", "prm_best"}
    assert found["decoding"].keys() == votes_and_best | {"orm_best_per_step", "prm_best_per_step"}
    # Of one sample every rule chooses it.
    assert len({errors["final_answer_error"][0] for errors in found["decoding"].values()}) == 1
    assert all(len(errors[metric]) == 3 for errors in found["decoding"].values() for metric in errors)
    made = (finished_run / "samples/sft.test.votes.jsonl").stat().st_mtime_ns
    votes(*args, "--samples=3", "--config.sample.lanes=2")
    assert (finished_run / "samples/sft.test.votes.jsonl").stat().st_mtime_ns == made
    assert (tmp_path / "votes/shipped-0.json").read_text() == kept
    with pytest.raises(UserError, match=r"config\.sample\.num_samples is 2"):
        votes(*args, "--samples=2")


def run(majority, prm):
    errors = {"majority": majority, "prm_weighted": prm}
    both = {name: {"final_answer_error": each, "trace_error": [None, 0.1]} for name, each in errors.items()}
    return {"samples": [1, 8], "n": 10, "decoding": both}


def test_errors_and_their_differences_are_means_over_bases(votes, tmp_path, capsys):
    (tmp_path / "votes").mkdir()
    for name, of in (("shipped-0", run([0.4, 0.3], [0.4, 0.2])), ("base_2-10", run([0.2, 0.1], [0.2, 0.1]))):
        (tmp_path / "votes" / f"{name}.json").write_text(json.dumps(of))
    votes(f"--output={tmp_path}")
    assert capsys.readouterr().out.startswith("2 runs;")
    with (tmp_path / "votes.csv").open() as file:
        rows = {(r["decoding"], r["metric"], r["samples"]): r for r in csv.DictReader(file)}
    assert len(rows) == 2 * 2 * 2
    assert float(rows["majority", "final_answer_error", "8"]["mean"]) == pytest.approx(20.0)
    assert rows["majority", "trace_error", "1"]["mean"] == "" and rows["majority", "trace_error", "8"]["runs"] == "2"
    tables = (tmp_path / "votes.md").read_text()
    # -10 and 0 points: t of 12.706 times a standard error of 5.
    assert "| PRM-weighted | final-answer error | 0.0 [0.0, 0.0] | -5.0 [-68.5, 58.5] |" in tables
    figure = (tmp_path / "votes-final-answer-error.svg").read_text()
    assert "PRM-weighted: 30.0 % at 1, 15.0 % at 8" in figure and "means of 2 runs" in figure


def test_committed_tables_and_figures_are_those_of_the_committed_votes(votes, tmp_path):
    shutil.copytree(COMMAND.parent / "votes", tmp_path / "votes")
    votes(f"--output={tmp_path}")
    made = {path.name: path.read_text() for path in tmp_path.iterdir() if path.is_file()}
    assert made.keys() == {"votes.csv", "votes.md", "votes-final-answer-error.svg", "votes-trace-error.svg"}
    assert [name for name, text in made.items() if (COMMAND.parent / name).read_text() != text] == []


def test_what_is_no_finished_run_is_one_line(votes, tmp_path):
    ended = subprocess.run([sys.executable, str(COMMAND), str(tmp_path)], capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.strip() == (
        f"votes.py: {tmp_path} is not the folder of a finished run, named BASE-SEED; see experiments/findings/run.py"
    )
    with pytest.raises(UserError, match="name the folder of a finished run"):
        votes(f"--output={tmp_path}")
