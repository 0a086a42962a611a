"""Runs and trainings killed at random moments and started again until they end: the same bytes as undisturbed ones.

python -m benchmarks.soak kills --kills=200 --seed=0

Half of the kills are aimed: they fall within 20 ms of a checkpoint's first file, after a few checkpoints were let by.
The others fall at any moment. Three in five are SIGKILL, the others SIGTERM.
"""

from __future__ import annotations

import collections
import dataclasses
import pathlib
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator

from benchmarks.soak import processes, signals, work
from benchmarks.soak.result import Budget, Result

SHARE_AIMED, SHARE_KILL, SHARE_RUN = 0.5, 0.6, 0.6
AIM_S = 0.02
# The fewest and the most kills before a job is let run to its end.
PER_JOB = (6, 16)
# The latest moment, as each start goes on from where the one before was.
LATEST_S = 12.0


@dataclasses.dataclass(frozen=True)
class Kill:
    """Hold one kill: of which job by which signal, whether it was aimed, and what it left half written.

    `code` is the process's, 0 where it ended by itself before.
    """

    job: str
    signal: str
    aimed: bool
    code: int
    checkpoint: bool
    file: bool
    fault: str = ""


def run(budget: Budget, seed: int) -> Result:
    """Kill and start again until the budget is spent, then let the last one end."""
    chance = random.Random(seed)
    counts: collections.Counter[str] = collections.Counter()
    faults = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        jobs = work.finished()[:2]
        begun = Budget(budget.tries)
        kills = 0
        while kills < budget.tries and not (kills and budget.spent):
            job = jobs[chance.random() >= SHARE_RUN]
            most = min(chance.randint(*PER_JOB), budget.tries - kills)
            for each in disturbed(job, folder / f"job{counts['jobs']}", most, chance, budget):
                faults += bool(each.fault)
                if each.fault:
                    print(f"{each.fault}: {each}", file=sys.stderr, flush=True)
                if each.signal and each.code != 0:
                    kills += 1
                    counts[each.signal] += 1
                    counts["aimed"] += each.aimed
                    counts["inside_checkpoints"] += each.checkpoint
                    counts["inside_files"] += each.file
            counts["jobs"] += 1
            print(f"kills: {kills} of {budget.tries}, {dict(counts)}", file=sys.stderr, flush=True)
    return Result("kills", kills, faults, begun.seconds, dict(counts))


def disturbed(job: work.Job, folder: pathlib.Path, most: int, chance: random.Random, budget: Budget) -> Iterator[Kill]:
    """Kill a job `most` times at most and let it end; the last one yielded says whether its bytes are the expected."""
    for _ in range(most):
        if budget.spent:
            break
        kill = attempt(job, folder, chance)
        if kill.code == 0:  # it was faster than the signal
            yield dataclasses.replace(kill, fault=kill.fault or _changed(job, folder))
            return
        yield kill
    code, said = processes.call(job.argv(folder))
    fault = "" if code == 0 and "is damaged" not in said else f"at its end: exit code {code} with {said}"
    yield Kill(job.name, "", False, code, False, False, fault or _changed(job, folder))


def _changed(job: work.Job, folder: pathlib.Path) -> str:
    return processes.difference(processes.contents(folder), job.expected)


def attempt(job: work.Job, folder: pathlib.Path, chance: random.Random) -> Kill:
    """Start a job, kill it at a moment drawn from `chance`, and look at what that left."""
    number = signal.SIGKILL if chance.random() < SHARE_KILL else signal.SIGTERM
    aimed = chance.random() < SHARE_AIMED
    latest_s = min(LATEST_S, job.seconds)
    after_s, to_let_by = chance.uniform(0, latest_s), chance.randrange(4)
    with processes.Process(job.argv(folder)) as process:
        process.wait_until_it_hears()
        if aimed:
            _wait_for_checkpoint(process, job, folder, to_let_by, latest_s)
            time.sleep(chance.uniform(0, AIM_S))
        else:
            process.wait_at_most(after_s)
        process.popen.send_signal(number)
        sent = time.monotonic()
        code, said = process.end(processes.PATIENCE_S)
    fault = ""
    if "is damaged" in said:
        fault = f"what a kill left is damaged: {said}"
    elif code != 0 and number is signal.SIGTERM:
        fault = signals.Outcome(job.name, number, after_s, code, time.monotonic() - sent, said).fault
    elif code not in (0, -number):
        fault = f"exit code {code} with {said}"
    return Kill(
        job.name, number.name, aimed, code, bool(_half_written(job, folder)), any(folder.rglob(".*.tmp")), fault
    )


def _half_written(job: work.Job, folder: pathlib.Path) -> set[pathlib.Path]:
    return set(folder.glob(f"{job.fits}/checkpoints/*.orbax-checkpoint-tmp*"))


def _wait_for_checkpoint(
    process: processes.Process, job: work.Job, folder: pathlib.Path, to_let_by: int, seconds: float
) -> None:
    """Return when so many checkpoints were begun and one more, when the process has ended, or after some seconds."""
    end, before = time.monotonic() + seconds, _half_written(job, folder)
    while process.runs and time.monotonic() < end:
        now = _half_written(job, folder)
        if now - before:
            if not to_let_by:
                return
            to_let_by -= 1
        before = now
        time.sleep(0.005)
