"""Damaged files of every format given to every job: each run ends well, or in one `procsup:` line and exit code 2.

    python -m benchmarks.soak malformed --files=5000 --seed=0

Never a traceback, a crash, a hang or memory without bound. A process of its own tries the files one after the other;
where it dies or hangs, that file is named and the next ones go on in a new one. `python -m benchmarks.soak.malformed
--only=N` tries one again and shows what it said.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import json
import pathlib
import random
import resource
import selectors
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Generator, Iterator

from benchmarks.soak import mutate
from benchmarks.soak.good_files import make
from benchmarks.soak.processes import judge
from benchmarks.soak.result import Budget, Result
from benchmarks.soak.trial import Trial

# What a job on files this small may add to a process in memory, and how long it may take.
MAX_GROWTH, MAX_SECONDS = 2 << 30, 120.0


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Say how a damaged file went: what is wrong, "" for nothing; `code` is the job's exit code, None for a death."""

    number: int
    what: str
    code: int | None
    fault: str = ""


class Malformed:
    """Hold the good files in a folder, and try damaged ones by number; every number is a trial of its own."""

    def __init__(self, folder: pathlib.Path, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self.trials = make(folder)

    def attempt(self, number: int) -> Outcome:
        """Damage one file, run one job that reads it, and put the file back."""
        rng = random.Random(f"{self.seed}/{number}")
        trial = rng.choice(self.trials)
        path = self.folder / trial.file
        good = path.read_bytes()
        path.write_bytes(mutate.damage(rng, path.name, good))
        try:
            return self.run(trial, number)
        finally:
            path.write_bytes(good)

    def run(self, trial: Trial, number: int = -1) -> Outcome:
        """Run a job on the files as they are."""
        from procsup_jax import main

        error, fault, code, before = io.StringIO(), "", None, _peak()
        try:
            with contextlib.redirect_stderr(error), contextlib.redirect_stdout(io.StringIO()):
                code = main.main([arg.replace("{}", str(self.folder)) for arg in trial.argv])
        except BaseException:  # noqa: BLE001 - whatever it is, a job must not end in it
            fault = traceback.format_exc()
        finally:
            for name in ("out", "out2"):
                _remove(self.folder / name)
        growth = _peak() - before
        fault = fault or judge(code, error.getvalue())
        if not fault and growth > MAX_GROWTH:
            fault = f"took {growth >> 20} MiB"
        return Outcome(number, f"{trial.file}: {' '.join(trial.argv)}", code, fault)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _remove(path: pathlib.Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


def run(budget: Budget, seed: int) -> Result:
    """Try damaged files until the budget is spent, in processes that are started anew where one dies."""
    codes: Counter[int | None] = Counter()
    faults = tried = 0
    while tried < budget.tries and not (tried and budget.spent):
        with contextlib.closing(_in_a_process(tried, budget.tries, seed)) as outcomes:
            for outcome in outcomes:
                tried += 1
                codes[outcome.code] += 1
                faults += bool(outcome.fault)
                if outcome.fault:
                    print(f"--- {outcome.number} {outcome.what}\n{outcome.fault}", file=sys.stderr, flush=True)
                if budget.spent:
                    break
    return Result("malformed", tried, faults, budget.seconds, {"read": codes[0], "refused_in_one_line": codes[2]})


def _in_a_process(first: int, end: int, seed: int) -> Generator[Outcome, None, None]:
    command = [sys.executable, "-m", "benchmarks.soak.malformed", "--worker", str(first), "--files", str(end)]
    with subprocess.Popen([*command, "--seed", str(seed)], stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        number = first
        try:
            for line in _lines(worker):
                yield Outcome(**json.loads(line))
                number += 1
        finally:
            worker.kill()
        if number < end:
            worker.wait()
            yield Outcome(number, "", None, f"the process died (exit code {worker.returncode}) or hung")


def _lines(worker: subprocess.Popen[str]) -> Iterator[str]:
    """Yield a process's lines until it ends or says nothing for too long; the first one takes as long as it takes."""
    assert worker.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(worker.stdout, selectors.EVENT_READ)
        limit: float | None = None
        while selector.select(limit) and (line := worker.stdout.readline()):
            limit = MAX_SECONDS
            yield line


def _work(first: int, end: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(sys.stderr):
        malformed = Malformed(pathlib.Path(name), seed)
        for number in range(first, end):
            print(json.dumps(dataclasses.asdict(malformed.attempt(number))), file=sys.__stdout__, flush=True)


def main() -> int:
    """Run the command line; the exit code is 1 where the one file tried again went wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=5000, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, metavar="N", default=0)
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker is not None:
        _work(given.worker, given.files, given.seed)
        return 0
    with tempfile.TemporaryDirectory() as name:
        outcome = Malformed(pathlib.Path(name), given.seed).attempt(given.only)
    print(f"{outcome.number} {outcome.what}\nexit code {outcome.code}\n{outcome.fault}")
    return int(bool(outcome.fault))


if __name__ == "__main__":
    sys.exit(main())
