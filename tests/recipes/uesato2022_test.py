"""The whole experiment at its tiniest: it ends with every file, and resumes to the same bytes."""

import json
import pathlib
import shutil

import jax
import numpy as np
import pytest
from notebooks import Notebook
from several import wait

from procsup_jax import main, signals, surroundings
from procsup_jax.io.models import load_model

ARGS = ("--config=configs/demo.py:tiny",)
MODELS = {
    "few_shot", "sft", "sft_final_answer_rl", "sft_orm_rl", "sft_prm_rl", "few_shot_final_answer_rl", "few_shot_orm_rl",
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "demo"
    assert main.main(["run", *ARGS, f"--workdir={folder}"]) == 0
    return folder


def results(folder):
    found = json.loads((folder / "results.json").read_text())
    found.pop("wall_clock")
    return found


def test_results_hold_every_model_on_both_sets(finished):
    found = results(finished)
    assert set(found["models"]) == MODELS
    for sets in found["models"].values():
        assert set(sets) == {"test", "ood"}
        for metrics in sets.values():
            assert {"greedy", "majority", "orm_weighted"} <= set(metrics["decoding"])
    assert {"prm_weighted", "prm_step", "orm_step"} <= set(found["models"]["sft"]["test"]["decoding"])
    assert set(found["curves"]) == MODELS - {"few_shot", "sft"}
    assert set(found["supervision"]) > MODELS
    controls = {"sft_surprise_outcome", "sft_surprise_process"}
    assert set(found["reward_models"]) == {"sft_orm", "sft_prm", "few_shot_orm", "few_shot_orm_rl_orm"} | controls
    assert (finished / "report.html").stat().st_size > 10_000


def test_what_was_killed_goes_on_to_the_same_bytes(finished, tmp_path):
    again = tmp_path / "demo"
    shutil.copytree(finished, again)
    kept = {
        path.relative_to(again): path.read_bytes() for part in ("models", "samples") for path in files(again / part)
    }
    for stage in ("sample-sft.rm", "train-sft_orm", "keep-sft_orm_rl.epoch1.experts.rl", "evaluate-sft-test"):
        (again / "stages" / f"{stage}.json").unlink()
    (again / "samples/sft.rm.jsonl").unlink()
    (again / "results.json").unlink()
    assert main.main(["run", *ARGS, f"--workdir={again}"]) == 0
    assert results(again) == results(finished)
    for name, content in kept.items():
        assert (again / name).read_bytes() == content, name


def test_two_processes_killed_and_told_to_stop_and_one_between_come_to_the_same(finished, several, tmp_path):
    """Whatever is drawn, labelled and measured is the same; the losses agree to 1e-5, as sums over two devices do.

    Parameters do to 1e-4: the base's optimiser makes matrices orthogonal, small ones of its gradients' noise too.
    """
    folder = tmp_path / "two"
    argv = ("run", *ARGS, f"--workdir={folder}")
    stages = folder / "stages"
    several.lose(several.start(2, *argv), victim=1, until=(stages / "base.json").exists)
    left = len(list(stages.iterdir()))
    assert 0 < left < 100 and not (folder / "results.json").exists()
    alone = several.start(1, *argv)
    wait((stages / "sample-sft.rm.json").exists, alone)
    alone[0].popen.terminate()
    several.finish(alone, codes=(143,))
    started = several.start(2, *argv)
    wait((stages / "evaluate-sft-test.json").exists, started)
    started[1].popen.terminate()
    several.finish(started, codes=(143, surroundings.LOST))
    assert f"procsup: process 1 of 2 has ended, and said: {signals.STOPPED}" in started[0].err.splitlines()
    assert not (folder / "results.json").exists()
    several.finish(several.start(2, *argv))

    assert {path.name for path in stages.iterdir()} == {path.name for path in (finished / "stages").iterdir()}
    kinds = ("data", "labels", "samples", "scores", "curves")
    both = [[path.relative_to(at) for kind in kinds for path in files(at / kind)] for at in (finished, folder)]
    assert sorted(both[0]) == sorted(both[1])
    for name in both[0]:
        one, two = (lines(at / name) for at in (finished, folder))
        logprobs = [[row.pop("logprob", 0.0) for row in rows if isinstance(row, dict)] for rows in (one, two)]
        assert logprobs[1] == pytest.approx(logprobs[0], abs=1e-3), name
        assert close(two, one), name
    for name in ("base", "sft", "sft_orm", "sft_prm_rl"):
        one, two = (load_model(at / "models" / name).params for at in (finished, folder))
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), one, two)
    for path in (finished / "models").glob("*.history.jsonl"):
        assert close(lines(folder / "models" / path.name), lines(path)), path.name
    one, two = results(finished), results(folder)
    assert one["base"].pop("digest") != "" != two["base"].pop("digest")
    assert close(two, one)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def close(found, wanted):
    """Say whether two values of JSON are the same, numbers to 1e-5."""
    if isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(close(found[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(close, found, wanted))
    return found == (pytest.approx(wanted, rel=1e-5, abs=1e-5) if isinstance(wanted, float) else wanted)


def test_a_run_of_the_version_before_is_finished(finished, tmp_path, capsys):
    old = json.loads(pathlib.Path(__file__).with_name("markers_of_0_1_0.json").read_text())
    again = tmp_path / "demo"
    shutil.copytree(finished, again)
    for name, index in old["stages"].items():
        path = again / f"stages/{name}.json"
        marker = json.loads(path.read_text())
        del marker["whole"]
        if name.startswith("label-"):  # which did not say whose layout they read
            marker["inputs"] = {key: value for key, value in marker["inputs"].items() if not key.startswith("models/")}
        path.write_text(json.dumps({**marker, "settings": old["settings"][index]}))
    before = {path: path.read_bytes() for path in (again / "stages").iterdir()}
    assert main.main(["run", *ARGS, f"--workdir={again}", "--stages=list"]) == 0
    assert capsys.readouterr().out.endswith(f"145 stages, 144 finished in {again}\n")
    assert main.main(["run", *ARGS, f"--workdir={again}"]) == 0
    assert {path: path.read_bytes() for path in (again / "stages").iterdir()} == before


def test_a_stage_is_held_to_what_it_read(finished):
    def read(stage):
        return json.loads((finished / f"stages/{stage}.json").read_text())["settings"]

    assert read("label-sft.rm-oracle") == {}
    assert read("keep-sft_orm_rl.epoch1.experts.rl") == {"config.improve.aggregate": "last"}
    assert "config.search.max_new_tokens" in read("sample-few_shot.rm")
    assert not [key for key in read("sample-few_shot.rm") if key.startswith("config.search.") and "max_new" not in key]
    assert "config.search.max_new_tokens" not in read("sample-sft.rm")
    assert "config.data.path" not in read("data")


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_changing_a_finished_stages_setting_is_an_error(finished, capsys):
    assert main.main(["run", *ARGS, f"--workdir={finished}", "--config.sft.num_steps=3"]) == 2
    assert "--config.sft.num_steps is 3, but stage train-sft" in capsys.readouterr().err
    assert main.main(["run", *ARGS, f"--workdir={finished}", "--config.search.cache_dtype=bfloat16"]) == 2
    assert "--config.search.cache_dtype is 'bfloat16', but stage sample-" in capsys.readouterr().err


def test_gsm8k_runs_the_same_experiment(shared_data, tmp_path):
    args = ["--config=configs/gsm8k_small.py:tiny", f"--config.data.path={shared_data / 'gsm8k'}"]
    assert main.main(["run", *args, f"--workdir={tmp_path / 'gsm8k'}"]) == 0
    found = results(tmp_path / "gsm8k")
    assert set(found["models"]) == MODELS
    for sets in found["models"].values():
        for decoding in sets["test"]["decoding"].values():
            assert decoding["trace_error"] is None


def test_the_quickstart_notebook_runs_on_it(finished, tmp_path, monkeypatch, capsys):
    notebook = Notebook("quickstart", tmp_path, monkeypatch)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/quickstart").symlink_to(finished)
    notebook.run(size="tiny")
    assert "run --config=configs/demo.py:tiny --workdir=runs/quickstart" in notebook.commands
    samples, scores = notebook.names["samples"], notebook.names["scores"]
    assert len(samples) == len(scores) == 4
    coloured = [shown for shown in notebook.shown if "hsl(" in shown]
    assert [shown.count("hsl(") for shown in coloured] == [len(score.step_probs) for score in scores]
    assert any("srcdoc" in shown and "Table 1" in shown for shown in notebook.shown), "the report is shown"
    assert capsys.readouterr().out.count("steps [") == 4, "every step is shown with its verdict"


def test_the_tpu_notebook_runs_beside_it(finished, tmp_path, monkeypatch, capsys):
    notebook = Notebook("tpu", tmp_path, monkeypatch)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/tpu").symlink_to(finished)
    notebook.run(size="tiny", num_problems=4, lanes=2, fit="tiny", num_steps=2)
    assert "run --config=configs/demo.py:tiny --workdir=runs/tpu" in notebook.commands
    assert len(notebook.names["samples"]) == 4 * 8
    out = capsys.readouterr().out
    assert "This is no TPU runtime" in out and "compiled: " in out
    assert (tmp_path / "models/sft/model.json").is_file()
