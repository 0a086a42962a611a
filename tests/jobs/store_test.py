"""Jobs on an object store: the same files as on a local disk, and the same command goes on."""

import json

import pytest

from procsup_jax import main, remote
from procsup_jax.recipes.artefacts import ModelFolder

RECIPE = """
from procsup_jax.recipes import uesato2022

def graph(settings):
    return uesato2022.graph(settings).only(("data", "base", "train-sft", "sample-sft.rm", "label-sft.rm-outcome"))

check = uesato2022.check
"""
CONFIG = """
from procsup_jax.recipes.settings import ExperimentSettings, set_tiny_sizes
from procsup_jax.settings import to_config

def get_config():
    config = to_config(ExperimentSettings(recipe=__file__.replace("config", "recipe"), few_shot=1))
    set_tiny_sizes(config)
    return config
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "recipe.py").write_text(RECIPE)
    (tmp_path / "config.py").write_text(CONFIG)

    def run(workdir, *args):
        return main.main(["run", f"--config={tmp_path / 'config.py'}", f"--workdir={workdir}", *args])

    return run


def contents(folder):
    """Return what a run leaves, times apart."""
    found = {}
    for path in (each for each in folder.rglob("*") if each.is_file()):
        name = path.relative_to(folder).as_posix()
        if path.parent.name == "stages":
            marker = json.loads(path.read_text())
            found[name] = {key: marker[key] for key in ("settings", "whole", "inputs", "outputs")}
        elif "tensorboard" not in name and path.name not in ("timing.jsonl", ".lock"):
            found[name] = path.read_bytes()
    return found


def test_a_run_in_a_bucket_is_the_one_on_a_disk(run, bucket, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path / "home")
    monkeypatch.chdir(tmp_path)
    assert run(tmp_path / "local") == 0
    bucket.fails_after = 9
    assert run("gs://b/run") == 2
    assert "the disk is full" in capsys.readouterr().err
    bucket.fails_after = None
    assert run("gs://b/run") == 0
    with remote.fetched("gs://b/run") as copied:
        assert contents(copied) == contents(tmp_path / "local")
    assert not (tmp_path / "gs:").exists()
    before = dict(bucket.store)
    assert run("gs://b/run") == 0 and bucket.store == before
    capsys.readouterr()
    assert run("gs://b/run", "--stages=list") == 0
    assert capsys.readouterr().out.endswith("5 stages, 5 finished in gs://b/run\n")
    assert run("gs://b/run", "--config.sft.num_steps=3") == 2
    assert "but stage train-sft in gs://b/run was finished with 2" in capsys.readouterr().err
    train = ["train", "--task=sft", "--model=gs://b/run/models/base", "--problems=gs://b/run/data/sft.jsonl"]
    fit = ["--config=train", "--config.fit.num_steps=1", "--config.fit.batch_size=2", "--config.seq_len=384"]
    assert main.main([*train, *fit, "--output=gs://b/mine"]) == 0
    sample = ["sample", "--policy=gs://b/mine", "--problems=gs://b/run/data/test.jsonl", "--output=gs://b/s.jsonl"]
    assert main.main([*sample, "--k=1", "--max_new_tokens=8"]) == 0
    assert json.loads(remote.path_of("gs://b/s.jsonl").read_text().splitlines()[0])["policy"] == "gs://b/mine"
    grade = ["grade", "--problems=gs://b/run/data/test.jsonl", "--samples=gs://b/s.jsonl", "--output=gs://b/g.jsonl"]
    assert main.main(grade) == 0 and "/b/g.jsonl" in bucket.names()
    sft, copy = ModelFolder("sft"), remote.path_of("gs://b/copy")
    sft.write(copy, sft.read(remote.path_of("gs://b/run/models/sft")))
    assert sft.read(copy).load().digest == sft.read(tmp_path / "local/models/sft").load().digest


def test_a_report_is_rebuilt_there(bucket, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    intervals = {"final_answer_error": [0.1, 0.6]}
    decoding = {"final_answer_error": 0.25, "trace_error": None, "n": 8, "intervals": intervals}
    results = {"name": "tiny", "models": {"sft": {"test": {"decoding": {"greedy": decoding}}}}}
    remote.path_of("gs://b/run/results.json").write_text(json.dumps(results))
    remote.path_of("gs://b/run/examples.jsonl").write_text("")
    assert main.main(["report", "--workdir=gs://b/run"]) == 0
    assert "gs://b/run/report.html\n" in capsys.readouterr().out
    assert "25.0" in remote.path_of("gs://b/run/report.html").read_text()
    assert list(tmp_path.iterdir()) == []
