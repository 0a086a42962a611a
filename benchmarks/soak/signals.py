"""Signals at random moments: each has to end the command with its code, one line that says so and no traceback.

python -m benchmarks.soak signals --tries=100 --seed=0

Two fifths of the tries fall into the first 1.2 s of a process, while it imports, the others into the 20 s after, while
it loads, compiles, trains and saves. Moments are counted from when the process can hear a signal: before, while the
interpreter itself starts, SIGTERM and SIGINT do what they do to every Python program.
"""

from __future__ import annotations

import dataclasses
import pathlib
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence

from benchmarks.soak import work
from benchmarks.soak.processes import PATIENCE_S, Process
from benchmarks.soak.result import Budget, Result

EARLY_S, LATE_S, SHARE_EARLY = 1.2, 20.0, 0.4


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Hold one try: which signal was sent when, how the process ended, and how long after that."""

    job: str
    number: signal.Signals
    after_s: float
    code: int
    ended_s: float
    stderr: str

    @property
    def fault(self) -> str:
        """Say what is wrong, "" where nothing is."""
        said = [line for line in self.stderr.splitlines() if "stopped" in line]
        if self.code != 128 + self.number:
            return f"exit code {self.code}, expected {128 + self.number}"
        if "Traceback" in self.stderr or len(said) != 1:
            return f"{len(said)} lines that say so, expected 1 and no traceback"
        return ""


def run(budget: Budget, seed: int) -> Result:
    """Send signals until the budget is spent, the early ones spread among the others."""
    chance = random.Random(seed)
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as name:
        commands = make_commands(pathlib.Path(name))
        for _ in budget:
            early = chance.random() < SHARE_EARLY
            after_s = chance.uniform(0, EARLY_S) if early else chance.uniform(EARLY_S, EARLY_S + LATE_S)
            job = chance.choice(list(commands)) if early else "train"
            outcomes.append(attempt(job, commands[job], chance.choice((signal.SIGINT, signal.SIGTERM)), after_s))
            if outcomes[-1].fault:
                print(f"{outcomes[-1].fault}: {outcomes[-1]}", file=sys.stderr, flush=True)
    return Result(
        "signals", len(outcomes), sum(bool(each.fault) for each in outcomes), budget.seconds, counts(outcomes)
    )


def make_commands(folder: pathlib.Path) -> dict[str, Sequence[str]]:
    """Return jobs that outlast the tries, by name; their files lie in `folder`."""
    problems = work.write_problems(folder / "p.jsonl", 64)
    fit = {"num_steps": 100_000, "checkpoint_every": 5, "eval_every": 10, "log_every": 5}
    return {
        "train": work.train_arguments(problems, str(folder / "model"), fit),
        "run": ["run", "--config=demo", f"--workdir={folder / 'run'}"],
        "sample": ["sample", "--k=1000", "--policy=worlds_base", f"--problems={problems}", f"--output={folder / 's'}"],
    }


def attempt(job: str, arguments: Sequence[str], number: signal.Signals, after_s: float) -> Outcome:
    """Start a job, send it a signal `after_s` seconds after it can hear one, and wait for its end."""
    with Process(arguments) as process:
        process.wait_until_it_hears()
        time.sleep(after_s)
        process.popen.send_signal(number)
        sent = time.monotonic()
        code, said = process.end(PATIENCE_S)
    return Outcome(job, number, after_s, code, time.monotonic() - sent, said)


def counts(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Return how many tries were early, and how long the slowest end took, early and later."""
    early = [each.ended_s for each in outcomes if each.after_s < EARLY_S]
    later = [each.ended_s for each in outcomes if each.after_s >= EARLY_S]
    slowest = {"slowest_early_s": max(early, default=0.0), "slowest_later_s": max(later, default=0.0)}
    return {"early": len(early), **{name: round(seconds, 1) for name, seconds in slowest.items()}}
