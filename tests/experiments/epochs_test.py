"""Further epochs of Final-Answer RL: run on a run's base, then put beside its SFT."""

import json
import pathlib
import shutil

import pytest

from procsup_jax.errors import UserError

COMMAND = pathlib.Path(__file__).parents[2] / "experiments/findings/epochs.py"


@pytest.fixture
def epochs(findings_command):
    return lambda *args: findings_command("epochs", *args)


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def errors(final, trace):
    return {"final_answer_error": final, "trace_error": trace}


def start(final):
    decodings = dict.fromkeys(("majority", "prm_weighted", "greedy"), errors(final, final / 2))
    return {"models": {"sft": {"test": {"decoding": decodings}}}}


def test_it_goes_on_with_a_run_and_measures_the_chosen_epoch(epochs, finished_run, tmp_path):
    write(tmp_path / "runs/shipped-0.json", start(0.5))
    args = finished_run, "--size=tiny", f"--output={tmp_path}"
    epochs(*args, "--epochs=1")
    model = finished_run / "models/few_shot_final_answer_rl.epoch1/params.safetensors"
    made = model.stat().st_mtime_ns
    epochs(*args, "--epochs=2")
    assert model.stat().st_mtime_ns == made
    found = json.loads((tmp_path / "epochs/shipped-0.json").read_text())
    assert found.keys() == {"few_shot_final_answer_rl", "few_shot_orm_rl"}
    for each in found.values():
        assert len(each["validation"]) == 3 and each["n"] == 4
        assert each["chosen"] == min((1, 2), key=lambda epoch: each["validation"][epoch])
        assert {"majority", "greedy"} <= each["test"].keys()
    assert "orm_weighted" in found["few_shot_orm_rl"]["test"]


def test_approaches_from_sft_are_reranked_by_its_reward_models(epochs, finished_run, tmp_path):
    write(tmp_path / "runs/shipped-0.json", start(0.5))
    args = "--size=tiny", f"--output={tmp_path}", "--epochs=1", "--approaches", "sft_final_answer_rl", "sft_orm_rl"
    epochs(finished_run, *args)
    found = json.loads((tmp_path / "epochs/shipped-0.json").read_text())
    assert found.keys() == {"sft_final_answer_rl", "sft_orm_rl"}
    for each in found.values():
        assert each["test"].keys() == {"majority", "orm_weighted", "prm_weighted", "greedy"}
    rows = (tmp_path / "epochs.md").read_text().splitlines()
    of = "| final answer error | SFT + ORM-RL (ORM-weighted) | SFT + Final-Answer RL (ORM-weighted) |"
    assert sum(row.startswith(of) for row in rows) == 1
    assert not any("Few-shot" in row for row in rows)


def test_the_chosen_epochs_errors_stand_beside_the_runs(epochs, tmp_path):
    for name, error, chosen in (("shipped-0", 0.4, 2), ("base_2-10", 0.2, 1)):
        test = dict.fromkeys(("majority", "greedy"), errors(error, None))
        found = {"few_shot_final_answer_rl": {"validation": [0.6, error, 0.3], "chosen": chosen, "test": test, "n": 10}}
        if name == "shipped-0":
            test = dict.fromkeys(("majority", "orm_weighted", "greedy"), errors(0.3, 0.1))
            found["few_shot_orm_rl"] = {"validation": [0.6, 0.5, 0.4], "chosen": 2, "test": test, "n": 10}
        write(tmp_path / f"epochs/{name}.json", found)
        write(tmp_path / f"runs/{name}.json", start(0.2))
    epochs(f"--output={tmp_path}")
    tables = (tmp_path / "epochs.md").read_text()
    # t of 12.706 times a standard error of 10; errors are cut to their range.
    row = "| Few-shot + Final-Answer RL | 60.0 [60.0, 60.0] | 30.0 [0.0, 100.0] | 30.0 [30.0, 30.0] | 1, 2 | 2 |"
    assert row in tables
    assert "| Few-shot + ORM-RL | 60.0 | 50.0 | 40.0 | 2 | 1 |" in tables
    assert "| Few-shot + Final-Answer RL | majority | 30.0 [0.0, 100.0] | – | 2 |" in tables
    ours, sft = "Few-shot + Final-Answer RL (majority)", "SFT (majority)"
    wide = "10.0 [-100.0, 100.0]"
    row = f"| final answer error | {ours} | {sft} | {wide} | {wide} | base_2-10 0.0; shipped-0 20.0 |"
    assert row in tables
    row = f"| final answer error | Few-shot + ORM-RL (majority) | {ours} | -10.0 | -10.0 | shipped-0 -10.0 |"
    assert row in tables
    voted = "| trace error | SFT (PRM-weighted) | Few-shot + ORM-RL (ORM-weighted) |"
    assert f"{voted} 0.0 | 0.0 | shipped-0 0.0 |" in tables


def test_the_committed_table_is_that_of_the_committed_epochs(epochs, tmp_path):
    for folder in ("epochs", "runs"):
        shutil.copytree(COMMAND.parent / folder, tmp_path / folder)
    epochs(f"--output={tmp_path}")
    assert (tmp_path / "epochs.md").read_text() == (COMMAND.parent / "epochs.md").read_text()


def test_nothing_to_collect_is_an_error(epochs, tmp_path):
    with pytest.raises(UserError, match="nothing of a run in .*epochs: name the folder of a finished run"):
        epochs(f"--output={tmp_path}")
    write(tmp_path / "epochs/shipped-0.json", {})
    write(tmp_path / "runs/shipped-1.json", start(0.5))
    with pytest.raises(UserError, match="runs lacks shipped-0.json, that run's results.json: put it there"):
        epochs(f"--output={tmp_path}")
