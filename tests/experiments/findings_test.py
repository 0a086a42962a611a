"""The findings' command puts finished runs together: tables, comparisons, figures."""

import csv
import json
import pathlib
import subprocess
import sys

import pytest

COMMAND = pathlib.Path(__file__).parents[2] / "experiments/findings/run.py"
POLICIES = (
    "few_shot", "few_shot_final_answer_rl", "few_shot_orm_rl", "sft", "sft_final_answer_rl", "sft_orm_rl", "sft_prm_rl",
)  # fmt: skip
JUDGES = ("orm_prediction", "prm_prediction", "orm_label", "prm_label")


def measured(error):
    decoding = {
        "final_answer_error": error,
        "trace_error": error / 2,
        "intervals": {"final_answer_error": [error - 0.1, error + 0.1], "trace_error": None},
        "selective": [[i / 10, error * (1 - i / 10)] for i in range(10)],
        "trace_n": 70,
    }
    agreement = {judge: {other: 0.5 if other == "orm_label" else 0.75 for other in JUDGES} for judge in JUDGES}
    steps = {steps: {**agreement, "n": 300} for steps in ("all_steps", "last_step")}
    decodings = ("majority", "orm_weighted", "prm_weighted")
    return {"decoding": dict.fromkeys(decodings, decoding), "agreement": steps, "n": 100}


def run(sft_error):
    auc = {"auc": {"process": 0.9, "outcome": 0.7, "right_answer": None}}
    return {
        "models": {
            policy: {part: measured(sft_error if policy == "sft" else 0.4) for part in ("test", "ood")}
            for policy in POLICIES
        },
        "reward_models": dict.fromkeys(("sft_orm", "sft_prm", "sft_surprise_outcome", "sft_surprise_process"), auc),
        "supervision": {"sft": {"solution_tokens": 1234, "answer_tokens": 0, "step_labels": 0}},
    }


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("findings")
    for name, error in (("shipped-0", 0.3), ("shipped-1", 0.2)):
        (folder / "runs").mkdir(exist_ok=True)
        (folder / "runs" / f"{name}.json").write_text(json.dumps(run(error)))
    subprocess.run([sys.executable, str(COMMAND), "--collect", f"--output={folder}"], check=True)
    return folder


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_differences_are_means_over_runs_with_t_intervals(collected):
    [row] = [r for r in rows(collected / "findings.csv") if (r["finding"], r["metric"]) == ("F1", "final_answer_error")]
    assert (row["first"], row["second"], row["runs"]) == ("few_shot_final_answer_rl/majority", "sft/majority", "2")
    assert float(row["mean"]) == pytest.approx(15.0)  # 40 - 30 and 40 - 20
    # Two runs: t of 12.706 times a standard error of 5.
    assert float(row["hi"]) == pytest.approx(15.0 + 12.7062 * 5.0, abs=1e-3)
    assert row["each"] == "shipped-0 10.0; shipped-1 20.0"
    [row] = [r for r in rows(collected / "findings.csv") if r["metric"] == "agreement, all_steps"]
    assert float(row["mean"]) == pytest.approx(25.0)
    unknown = [r for r in rows(collected / "findings.csv") if r["metric"] == "right_answer"]
    assert {r["mean"] for r in unknown} == {""} and {r["runs"] for r in unknown} == {"0"}


def test_every_error_is_listed_whole_and_with_abstention(collected):
    found = rows(collected / "results.csv")
    assert len(found) == 2 * 7 * 2 * 3 * (2 + 3)
    key = {"run": "shipped-1", "policy": "sft", "set": "test", "decoding": "majority"}
    one = {r["metric"]: r for r in found if key.items() <= r.items()}
    assert float(one["final_answer_error"]["value"]) == 0.2 and one["final_answer_error"]["n"] == "100"
    assert float(one["final_answer_error, 50% abstained"]["value"]) == pytest.approx(0.1)
    assert one["trace_error"]["lo"] == "" and one["trace_error"]["n"] == "70"
    assert len(rows(collected / "agreement.csv")) == 2 * 7 * 2 * 2 * 6


def test_tables_and_figures_show_them(collected):
    tables = (collected / "tables.md").read_text()
    assert "| SFT | majority | 25.0 [-38.5, 88.5] |" in tables and "| sft | 1,234 | 0 | 0 |" in tables
    figure = (collected / "findings.svg").read_text()
    assert "F1 FAE: FS+FA-RL (maj.)" in figure and "+15.0 points" in figure
    assert "Means of 2 runs" in (collected / "errors.svg").read_text()


def test_nothing_to_collect_is_one_line(tmp_path):
    ended = subprocess.run(
        [sys.executable, str(COMMAND), "--collect", f"--output={tmp_path}"], capture_output=True, text=True
    )
    assert ended.returncode == 1
    assert ended.stderr.strip() == f"no results of a run in {tmp_path / 'runs'}: run without --collect first"


def test_what_is_kept_is_not_run_again(tmp_path):
    (tmp_path / "runs").mkdir()
    for name in ("shipped-0", "other-0"):
        (tmp_path / "runs" / f"{name}.json").write_text(json.dumps(run(0.3)))
    args = ["--bases", "shipped", "some/where/other", "--seeds", "0", f"--output={tmp_path}"]
    ended = subprocess.run([sys.executable, str(COMMAND), *args], check=True, capture_output=True, text=True)
    assert ended.stdout.strip() == f"2 runs; tables and figures are in {tmp_path}"


def test_no_run_at_once_is_one_line():
    ended = subprocess.run([sys.executable, str(COMMAND), "--at_once=0"], capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr.strip().splitlines()[-1] == "run.py: error: --at_once=0: expected at least 1"
