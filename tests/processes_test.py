"""Real processes that do a job together: as one process does it, and what each says where one of them is lost."""

import os
import socket
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
import small_models

from procsup_jax import main, records, surroundings
from procsup_jax.errors import UserError
from procsup_jax.io.models import load_model
from procsup_jax.processes import ProcessFlags
from procsup_jax.types import Sample

CONSOLE = "from procsup_jax.console import console; console()"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("processes")
    small_models.worlds_folder(path, num_layers=1, num_problems=5)
    return path


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def start(number, *argv):
    """Start as many processes of one command, each with a device of its own."""
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=1"
    common = f"--coordinator=127.0.0.1:{free_port()}", f"--num_processes={number}"
    return [
        subprocess.Popen(
            [sys.executable, "-c", CONSOLE, *argv, *common, f"--process_id={i}"],
            env={**os.environ, "XLA_FLAGS": flags}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for i in range(number)
    ]  # fmt: skip


def finish(started):
    """Return what each printed once all have ended well."""
    said = [process.communicate(timeout=300) for process in started]
    assert [process.returncode for process in started] == [0] * len(started), said
    return [out for out, _ in said]


def lose(started, victim):
    """Kill one of two processes, and see that the other ends soon and says why."""
    assert "2 processes with 2 devices have joined" in started[0].stderr.readline()
    started[victim].kill()
    killed_at = time.monotonic()
    _, error = started[1 - victim].communicate(timeout=120)
    assert time.monotonic() - killed_at < 60
    assert started[1 - victim].returncode == surroundings.LOST
    assert error.splitlines()[-1].startswith("procsup: ")
    assert "the same command in all of them again" in error
    started[victim].communicate()


def test_they_share_the_samples_and_write_what_one_writes_one_of_them_lost_on_the_way(folder):
    def sample(output):
        return (
            "sample", f"--problems={folder / 'p.jsonl'}", f"--policy={folder / 'models/policy'}", "--k=3",
            f"--output={folder / output}", "--max_new_tokens=12", "--config=sample", "--config.lanes=2",
        )  # fmt: skip

    assert main.main(sample("one.jsonl")) == 0
    lose(start(2, *sample("two.jsonl")), victim=0)
    assert not (folder / "two.jsonl").exists()
    first, second = finish(start(2, *sample("two.jsonl")))
    assert "5 problems" in first and second == ""
    assert (folder / "two.jsonl").read_bytes() == (folder / "one.jsonl").read_bytes()
    assert not list(folder.glob("*shard*"))


def test_they_share_the_scores_too(folder):
    samples = [Sample(f"worlds-test-{i}", k, f"{i} + {k}\n#### {i + k}") for i in range(5) for k in range(3)]
    records.write_samples(folder / "s.jsonl", samples)

    def score(output):
        return (
            "score", f"--problems={folder / 'p.jsonl'}", f"--samples={folder / 's.jsonl'}",
            f"--rm={folder / 'models/rm'}", f"--output={folder / output}",
        )  # fmt: skip

    assert main.main(score("one.scores")) == 0
    lose(start(2, *score("two.scores")), victim=1)
    assert not (folder / "two.scores").exists()
    finish(start(2, *score("two.scores")))
    one, two = (records.read_scores(folder / f"{name}.scores") for name in ("one", "two"))
    assert [score.key for score in one] == [sample.key for sample in samples] == [score.key for score in two]
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a.step_probs, b.step_probs, atol=1e-5)


def test_they_train_one_model_over_one_mesh(folder):
    def train(output):
        return (
            "train", "--task=sft", f"--model={folder / 'models/policy'}", f"--problems={folder / 'p.jsonl'}",
            f"--output={folder / output}", "--config=train", "--config.fit.num_steps=3", "--config.fit.batch_size=2",
            "--config.fit.checkpoint_every=1", "--config.seq_len=384", "--mesh.data=2",
        )  # fmt: skip

    assert main.main(train("alone")) == 0
    finish(start(2, *train("together")))
    alone, together = (load_model(folder / name).params for name in ("alone", "together"))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), alone, together)
    assert not (folder / "together.fit" / "sft" / "checkpoints").exists()


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
