"""Real processes that do a job together: as one process does it, and what each says where one of them is lost."""

import re

import jax
import numpy as np
import pytest
import small_models
from several import wait

from procsup_jax import main, processes, records, surroundings
from procsup_jax.errors import UserError
from procsup_jax.io.models import load_model
from procsup_jax.joining import ProcessFlags
from procsup_jax.types import Sample


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("processes")
    small_models.worlds_folder(path, num_layers=1, num_problems=5)
    return path


def test_they_share_the_samples_and_write_what_one_writes_one_of_them_lost_on_the_way(folder, several):
    def sample(output):
        return (
            "sample", f"--problems={folder / 'p.jsonl'}", f"--policy={folder / 'models/policy'}", "--k=3",
            f"--output={folder / output}", "--max_new_tokens=12", "--config=sample", "--config.lanes=2",
        )  # fmt: skip

    assert main.main(sample("one.jsonl")) == 0
    several.lose(several.start(2, *sample("two.jsonl")), victim=0)
    assert not (folder / "two.jsonl").exists()
    first, second = started = several.start(2, *sample("two.jsonl"))
    several.finish(started)
    assert "5 problems" in first.out and second.out == ""
    assert (folder / "two.jsonl").read_bytes() == (folder / "one.jsonl").read_bytes()
    assert not list(folder.glob("*shard*"))


def test_they_share_the_scores_too(folder, several):
    samples = [Sample(f"worlds-test-{i}", k, f"{i} + {k}\n#### {i + k}") for i in range(5) for k in range(3)]
    records.write_samples(folder / "s.jsonl", samples)

    def score(output):
        return (
            "score", f"--problems={folder / 'p.jsonl'}", f"--samples={folder / 's.jsonl'}",
            f"--rm={folder / 'models/rm'}", f"--output={folder / output}",
        )  # fmt: skip

    assert main.main(score("one.scores")) == 0
    several.lose(several.start(2, *score("two.scores")), victim=1)
    assert not (folder / "two.scores").exists()
    several.finish(several.start(2, *score("two.scores")))
    one, two = (records.read_scores(folder / f"{name}.scores") for name in ("one", "two"))
    assert [score.key for score in one] == [sample.key for sample in samples] == [score.key for score in two]
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a.step_probs, b.step_probs, atol=1e-5)


def train(folder, output, *argv):
    return (
        "train", "--task=sft", f"--model={folder / 'models/policy'}", f"--problems={folder / 'p.jsonl'}",
        f"--output={folder / output}", "--config=train", "--config.fit.batch_size=2", "--config.seq_len=384",
        "--config.fit.checkpoint_every=1", *argv,
    )  # fmt: skip


@pytest.mark.parametrize("axis", ["data", "tensor"])
def test_they_train_one_model_over_one_mesh(folder, several, axis):
    def short(output):
        return train(folder, output, "--config.fit.num_steps=3", f"--mesh.{axis}=2")

    assert main.main(short(f"alone.{axis}")) == 0
    several.finish(several.start(2, *short(f"together.{axis}")))
    alone, together = (load_model(folder / f"{name}.{axis}").params for name in ("alone", "together"))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), alone, together)
    assert not (folder / f"together.{axis}.fit" / "sft" / "checkpoints").exists()


def test_told_to_stop_all_save_the_same_step(folder, several):
    long = "--config.fit.num_steps=100000", "--config.fit.log_every=1", "--config.fit.eval_every=1000"
    started = several.start(2, *train(folder, "stopped", *long, "--config.fit.checkpoint_every=50000", "--mesh.data=2"))
    kept = folder / "stopped.fit" / "sft"
    wait(lambda: (kept / "metrics.jsonl").exists() and (kept / "metrics.jsonl").read_text(), started)
    started[1].popen.terminate()
    several.finish(started, codes=(143,))
    [said] = re.findall(r"sft: stopped after step (\d+); run the same command again", started[0].err)
    assert [path.name for path in (kept / "checkpoints").iterdir()] == [said]
    assert "stopped" not in started[1].err


def test_an_error_of_the_first_ends_all_and_is_said_once(folder, several):
    (folder / "run/stages").mkdir(parents=True)
    (folder / "run/stages/data.json").write_text("damaged")
    first, second = started = several.start(2, "run", "--config=demo:tiny", f"--workdir={folder / 'run'}")
    several.finish(started, codes=(2,))
    assert first.err.splitlines()[-1].startswith(f"procsup: {folder / 'run/stages/data.json'} is not what a finished")
    assert second.err.splitlines() == ["procsup: process 0 of 2 has ended; what it said tells why"]


def test_an_error_of_another_ends_all_and_is_said_by_the_first_too(folder, several):
    policies = [f"--policy={folder / 'models' / name}" for name in ("policy", "rm")]
    argv = "sample", f"--problems={folder / 'p.jsonl'}", f"--output={folder / 'w.jsonl'}"
    first, second = started = several.start(2, *argv, each=policies)
    several.finish(started, codes=(2,))
    [said] = second.err.splitlines()
    assert said.startswith(f"procsup: {policies[1]} is a reward model")
    assert f"procsup: process 1 of 2 has ended, and said: {said}" in first.err.splitlines()


def test_processes_that_were_given_different_commands_are_refused(folder, several):
    seeds = [f"--config.seed={seed}" for seed in (0, 1)]
    first, second = started = several.start(2, "run", "--config=demo:tiny", f"--workdir={folder / 'a'}", each=seeds)
    several.finish(started, codes=(2,))
    said = "procsup: process 1 was started with --config.seed=1, process 0 with 0; give all of them the same"
    assert second.err.startswith(said) and said in first.err


def test_a_folder_that_they_do_not_share_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "SEEN_S", 0.0)
    monkeypatch.setattr(processes, "count", lambda: 2)
    monkeypatch.setattr(processes, "index", lambda: 1)
    monkeypatch.setattr(processes, "told", lambda name, decide: ".shared-elsewhere")
    with pytest.raises(UserError, match="the workdir .* is not to be seen by process 1: give a path on a file system"):
        processes.check_shared(tmp_path, "the workdir")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"coordinator": "host", "num_processes": 2, "process_id": 0}, "--coordinator=host: expected HOST:PORT"),
        ({"num_processes": 2, "process_id": 0}, "--coordinator=: expected HOST:PORT"),
        ({"coordinator": "host:80", "process_id": 0}, "--process_id=0: expected a number from 0 to 0"),
        ({"coordinator": "host:80", "num_processes": 2, "process_id": 2}, "expected a number from 0 to 1"),
    ],
)
def test_flags_that_do_not_say_which_process_this_is(given, said):
    with pytest.raises(UserError, match=said):
        ProcessFlags(**given).join()


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({}, None),
        ({"SLURM_JOB_ID": "1", "SLURM_NTASKS": "4"}, None),  # a batch script, not a step
        ({"SLURM_STEP_NUM_TASKS": "4"}, "Slurm"),
        ({"SLURM_STEP_NUM_TASKS": "1"}, None),
        ({"OMPI_COMM_WORLD_SIZE": "2"}, "Open MPI"),
        ({"TPU_WORKER_HOSTNAMES": "a,b"}, "TPU"),
        ({"TPU_WORKER_HOSTNAMES": "a"}, None),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "JOB_COMPLETION_INDEX": "0"}, "Kubernetes"),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, None),
    ],
)
def test_what_started_them_is_seen_in_the_environment(environment, name):
    assert surroundings.of(environment) == name
    assert surroundings.are_several(["sample", "--coordinator=a:1"], environment)
