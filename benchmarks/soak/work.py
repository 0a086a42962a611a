"""The two jobs that parts of the soak disturb: small, but with every kind of file and many checkpoints."""

from __future__ import annotations

import atexit
import dataclasses
import functools
import pathlib
import shutil
import tempfile
import time
from collections.abc import Mapping
from typing import NamedTuple

from benchmarks.soak import processes

_FITS = ("base.fit", "sft", "orm", "prm", "distil")
_RUN = ("--config.name=soak", "--config.improve.approaches=('sft_orm_rl',)", "--config.evaluate.step_search_models=()")
_STEPS, _TRAIN_STEPS = 6, 12


@dataclasses.dataclass(frozen=True)
class Job:
    """Hold a command line, {} standing for its folder, what it left when nothing disturbed it, and for how long it ran.

    `fits` is the pattern of the folders of its fits, relative to its folder, and `size` how many bytes it left.
    """

    name: str
    arguments: tuple[str, ...]
    fits: str
    expected: dict[str, str] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    size: int = 0

    def argv(self, folder: pathlib.Path) -> list[str]:
        """Return its command line for a folder."""
        return [each.replace("{}", str(folder)) for each in self.arguments]

    def finished(self, folder: pathlib.Path) -> Job:
        """Run it undisturbed, a second time with everything compiled, and return it with what it left in `second`."""
        self._undisturbed(folder / "first")
        job = self.timed(folder / "second")
        if changed := processes.difference(processes.contents(folder / "first"), job.expected):
            raise RuntimeError(f"{self.name} undisturbed is not the same twice: {changed}")
        return job

    def timed(self, folder: pathlib.Path) -> Job:
        """Run it undisturbed and return it with what it left, and for how long it ran."""
        seconds = self._undisturbed(folder)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        return dataclasses.replace(self, expected=processes.contents(folder), seconds=seconds, size=size)

    def _undisturbed(self, folder: pathlib.Path) -> float:
        begun = time.monotonic()
        code, said = processes.call(self.argv(folder))
        if code != 0:
            raise RuntimeError(f"{self.name} undisturbed: exit code {code} with {said}")
        return time.monotonic() - begun


class Finished(NamedTuple):
    """Hold both jobs, and the folder in which a run of the first one lies."""

    run: Job
    train: Job
    folder: pathlib.Path


@functools.cache
def finished() -> Finished:
    """Return what the jobs leave undisturbed; its folder is removed when this process ends."""
    folder = pathlib.Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    run = run_job().finished(folder / "run")
    return Finished(run, train_job(folder).finished(folder / "train"), folder / "run/second")


def run_job() -> Job:
    """Return an experiment: a base, fine-tuning, reward models, one kind of expert iteration, evaluation, report.

    Every fit saves a checkpoint after each step.
    """
    fits = [
        f"--config.{fit}.{name}={value}"
        for fit in _FITS
        for name, value in (("num_steps", _STEPS), ("checkpoint_every", 1), ("log_every", 2), ("eval_every", 2))
    ]
    return Job("run", ("run", "--config=demo:tiny", "--workdir={}/run", *_RUN, *fits), "run/train/*")


def train_job(folder: pathlib.Path, steps: int = _TRAIN_STEPS) -> Job:
    """Return a training of the shipped base that saves a checkpoint after each step; its problems lie in `folder`."""
    problems = write_problems(folder / "p.jsonl", 32)
    fit = {"num_steps": steps, "checkpoint_every": 1, "eval_every": 4, "log_every": 4}
    return Job("train", train_arguments(problems, "{}/model", fit), "model.fit/*")


def write_problems(path: pathlib.Path, num: int) -> pathlib.Path:
    """Write stories for a job to read, and return where."""
    code, said = processes.call(["data", "--dataset=worlds", f"--num={num}", f"--output={path}"])
    if code != 0:
        raise RuntimeError(said)
    return path


def train_arguments(problems: pathlib.Path, output: str, fit: Mapping[str, int]) -> tuple[str, ...]:
    """Return the command line of a small training of the shipped base."""
    changes = [f"--config.fit.{name}={value}" for name, value in ({"batch_size": 4} | dict(fit)).items()]
    train = ("train", "--task=sft", "--model=worlds_base", f"--problems={problems}", f"--output={output}")
    return (*train, "--config=train", "--config.seq_len=256", *changes)
