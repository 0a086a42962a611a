"""The findings' command puts finished runs together: tables, comparisons, figures."""

import csv
import json
import pathlib
import shutil
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
    steps = {steps: {**agreement, "n": n} for steps, n in (("all_steps", 300), ("last_step", 60))}
    # Of half of the samples the answer is right, and of a tenth of these the trace is wrong.
    one = {"final_answer_error": 0.5, "trace_error": 0.1}
    decodings = ("greedy", "majority", "orm_weighted", "prm_weighted")
    return {"decoding": dict.fromkeys(decodings, decoding), "agreement": steps, "one_sample": one, "n": 100}


def run(sft_error):
    auc = {"auc": {"process": 0.9, "outcome": 0.7, "right_answer": None}, "agreement": {"process": 0.8, "outcome": 0.6}}
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
    for name, error in (("shipped-0", 0.4), ("shipped-1", 0.2), ("base_2-10", 0.2)):
        (folder / "runs").mkdir(exist_ok=True)
        (folder / "runs" / f"{name}.json").write_text(json.dumps(run(error)))
    subprocess.run([sys.executable, str(COMMAND), "--collect", f"--output={folder}"], check=True)
    return folder


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_differences_are_means_over_bases_with_t_intervals(collected):
    row = next(r for r in rows(collected / "findings.csv") if r["finding"] == "F1")
    assert (row["first"], row["second"]) == ("few_shot_final_answer_rl/majority", "sft/majority")
    assert (row["paper"], row["greedy_mean"], row["greedy_paper"]) == ("1.2000", "15.0000", "-4.7000")
    assert (row["bases"], row["runs"]) == ("2", "3")
    # 40 - 40 and 40 - 20 of one base, 40 - 20 of the other.
    assert float(row["mean"]) == pytest.approx(15.0)
    # Two bases: t of 12.706 times a standard error of 5.
    assert float(row["hi"]) == pytest.approx(15.0 + 12.7062 * 5.0, abs=1e-3)
    assert row["each"] == "base_2-10 20.0; shipped-0 0.0; shipped-1 20.0"
    [row] = [r for r in rows(collected / "findings.csv") if r["metric"] == "agreement, all_steps"]
    assert float(row["mean"]) == pytest.approx(25.0)


def test_reward_models_are_measured_by_each_kind_of_label(collected):
    found = rows(collected / "reward_models.csv")
    known = {(r["measure"], r["labels"]): r for r in found if r["reward_model"] == "sft_surprise_process"}
    assert float(known["agreement", "process"]["mean"]) == pytest.approx(80.0)
    unknown = [r for r in found if r["labels"] == "right_answer" or r["reward_model"] == "few_shot_orm"]
    assert {r["mean"] for r in unknown} == {""} and {r["runs"] for r in unknown} == {"0"}


def test_every_error_is_listed_whole_and_with_abstention(collected):
    found = rows(collected / "results.csv")
    assert len(found) == 3 * 7 * 2 * 4 * (2 + 3)
    key = {"run": "shipped-1", "policy": "sft", "set": "test", "decoding": "majority"}
    one = {r["metric"]: r for r in found if key.items() <= r.items()}
    assert float(one["final_answer_error"]["value"]) == 0.2 and one["final_answer_error"]["n"] == "100"
    assert float(one["final_answer_error, 50% abstained"]["value"]) == pytest.approx(0.1)
    assert one["trace_error"]["lo"] == "" and one["trace_error"]["n"] == "70"
    assert len(rows(collected / "agreement.csv")) == 3 * 7 * 2 * 2 * 6


def test_tables_and_figures_show_them(collected):
    tables = (collected / "tables.md").read_text()
    # An error's interval ends where errors do.
    assert "| D | SFT | majority | 25.0 [0.0, 88.5] | 12.5 [0.0, 44.3] | 3 |" in tables
    assert "| SFT | majority | 22.5 [0.0, 79.7] | 17.5 [0.0, 62.0] | 12.5 [0.0, 44.3] |" in tables
    assert "| SFT | 1,234 | 0 | 0 |" in tables
    assert "| SFT ORM | 80.0 [80.0, 80.0] | 60.0 [60.0, 60.0] | 90.0 [90.0, 90.0] | 70.0 [70.0, 70.0] | – |" in tables
    assert "| ORM prediction | process label | 75.0 [75.0, 75.0] | 75.0 [75.0, 75.0] |" in tables
    assert "| ORM prediction | outcome label | 50.0 [50.0, 50.0] | 50.0 [50.0, 50.0] |" in tables
    assert (
        "| F1 | final answer error | Few-shot + Final-Answer RL (majority) | SFT (majority) | 15.0 [-48.5, 78.5] | 1.2"
        in tables
    )
    assert (
        "| Few-shot + ORM-RL (ORM-weighted) | Few-shot + Final-Answer RL (ORM-weighted) | 0.0 [0.0, 0.0] | -6.9 |"
        in tables
    )
    figure = (collected / "findings.svg").read_text()
    assert "F1 FAE: FS+FA-RL (maj.)" in figure and "+15.0 points" in figure
    assert "Means of 3 runs" in (collected / "errors.svg").read_text()


def test_the_gap_stands_beside_what_knows_nothing(collected):
    tables = (collected / "tables.md").read_text()
    # Labels differ on a quarter of the last steps: 5 % of the samples are right answers with wrong traces, so 20 %
    # wrong answers with right ones, and 65 % of the traces are right.
    assert "| SFT | the two labels differ on, and no gap is larger than | 25.0 [25.0, 25.0] | 25.0" in tables
    assert "| SFT | saying `correct` of every step agrees with process labels | – | 65.0 [65.0, 65.0] |" in tables
    assert "| SFT | ... with outcome labels | – | 50.0 [50.0, 50.0] |" in tables
    # Over all steps at least 25 - 2 x 5, at most 25 - 2 x 5 x 60 / 300.
    assert "| SFT | ... the gap | 15.0 [15.0, 15.0] to 23.0 [23.0, 23.0] | 15.0 [15.0, 15.0] |" in tables
    assert "| SFT | ... of these the ORM sides with the process label on | 100.0 [100.0, 100.0] | 100.0" in tables
    assert "| SFT | the ORM's agreement above the better constant's, process labels | – | 10.0 [10.0, 10.0] |" in tables


def test_what_newer_runs_keep_of_all_steps_is_taken_from_them(experiment_module):
    base_rates = experiment_module("findings", "base_rates")
    runs = {"shipped-0": run(0.4)}
    by = {"always_correct": {"process": 0.8, "outcome": 0.7, "gap": 0.1}, "falling": {"gap": 0.3}}
    runs["shipped-0"]["models"]["sft"]["test"]["emulation"] = {"all_steps": {"by": by}}
    found = [(what, every) for what, every, _ in base_rates.rows(runs, "sft")]
    kept = [cell[0]["mean"] for what, cell in found if what.startswith("saying") and cell]
    assert kept == [pytest.approx(80.0), pytest.approx(30.0)]
    assert [cell[0]["mean"] for what, cell in found if what == "... the gap"][1] == pytest.approx(10.0)


def test_committed_tables_and_figures_are_those_of_the_committed_runs(tmp_path):
    shutil.copytree(COMMAND.parent / "runs", tmp_path / "runs")
    subprocess.run([sys.executable, str(COMMAND), "--collect", f"--output={tmp_path}"], check=True)
    made = {path.name: path.read_text() for path in tmp_path.iterdir() if path.is_file()}
    assert made.keys() == {
        "agreement-all-steps.svg", "agreement-last-step.svg", "agreement.csv", "errors.svg", "findings.csv",
        "findings.svg", "results.csv", "reward_models.csv", "selective-few-shot.svg", "selective-sft.svg", "tables.md",
    }  # fmt: skip
    assert [name for name, text in made.items() if (COMMAND.parent / name).read_text() != text] == []


def test_nothing_to_collect_is_one_line(tmp_path):
    ended = subprocess.run(
        [sys.executable, str(COMMAND), "--collect", f"--output={tmp_path}"], capture_output=True, text=True
    )
    assert ended.returncode == 1
    assert ended.stderr.strip() == f"no results of a run in {tmp_path / 'runs'}: run without --collect first"


def test_what_is_kept_is_not_run_again_and_no_two_runs_share_a_seed(tmp_path):
    (tmp_path / "runs").mkdir()
    for name in ("shipped-1", "other-11"):
        (tmp_path / "runs" / f"{name}.json").write_text(json.dumps(run(0.3)))
    args = ["--bases", "shipped", "some/where/other", "--seeds", "1", f"--output={tmp_path}"]
    ended = subprocess.run([sys.executable, str(COMMAND), *args], check=True, capture_output=True, text=True)
    assert ended.stdout.strip() == f"2 runs; tables and figures are in {tmp_path}"


def test_no_run_at_once_is_one_line():
    ended = subprocess.run([sys.executable, str(COMMAND), "--at_once=0"], capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr.strip().splitlines()[-1] == "run.py: error: --at_once=0: expected at least 1"
