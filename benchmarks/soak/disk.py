"""A disk that is full at a random moment of a run or training: one line and exit code 2; with room, the same bytes.

python -m benchmarks.soak disk --fills=50 --seed=0

The disk is a small tmpfs in a mount namespace of its own, which Linux gives to root, and to others where user
namespaces are allowed. Half of the tries have a disk of a random size, so that any write may be the one too many; in
the others a file takes all room at a random moment.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
from typing import Any

from benchmarks.soak import processes, work
from benchmarks.soak.result import Budget, Result

_ROOM = 1 << 30
_SMALLEST = 16 << 10
_ALONE = ("unshare", "-m") if os.geteuid() == 0 else ("unshare", "-rm")


def run(budget: Budget, seed: int) -> Result:
    """Fill disks until the budget is spent."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if why := not_permitted(folder):
            return Result("disk", 0, 0, budget.seconds, skipped=why)
        jobs = work.finished()[:2]
        begun = Budget(budget.tries)
        faults = tried = number = 0
        while tried < budget.tries and not (tried and budget.spent):
            found = attempt_alone(jobs[number % 2], folder / "disk", f"{seed}/{number}")
            tried += found["fills"]
            faults += bool(found["fault"])
            if found["fault"]:
                print(f"disk {seed}/{number}: {found['fault']}", file=sys.stderr, flush=True)
            number += 1
    return Result("disk", tried, faults, begun.seconds, {"jobs": number})


def attempt_alone(job: work.Job, disk: pathlib.Path, name: str) -> dict[str, Any]:
    """Make the attempt `name` in a mount namespace of its own; return what `attempt` does, by name."""
    command = [*_ALONE, sys.executable, "-m", "benchmarks.soak.disk", name, str(disk)]
    given = json.dumps(dataclasses.asdict(job))
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, cwd=processes.ROOT)
    return json.loads(done.stdout) if done.returncode == 0 else {"fills": 1, "fault": done.stderr}


def not_permitted(folder: pathlib.Path) -> str:
    """Say why no disk of its own can be had here, "" where it can."""
    command = [*_ALONE, "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        return f"no disk of its own: {error}"
    return f"no disk of its own: {done.stderr.strip()}" if done.returncode else ""


def attempt(job: work.Job, disk: pathlib.Path, chance: random.Random) -> tuple[int, str]:
    """Run a job on a full disk up to three times and then with room; return how often it was full and what was wrong.

    The job may take more on its way than it leaves: up to three checkpoints of each fit.
    """
    disk.mkdir(exist_ok=True)
    _mount(disk, _ROOM)
    fills = 0
    for _ in range(chance.randint(1, 3)):
        small = chance.random() < 0.5
        if small:
            used = shutil.disk_usage(disk).used
            _mount(disk, used + round(_SMALLEST * (2 * job.size / _SMALLEST) ** chance.random()), "remount,")
        with processes.Process(job.argv(disk / "work")) as process:
            if not small:
                process.wait_until_it_hears()
                process.wait_at_most(chance.uniform(0, job.seconds))
                _close(disk)
                _fill(disk / "filler")
            code, said = process.end()
        (disk / "filler").unlink(missing_ok=True)
        _mount(disk, _ROOM, "remount,")
        if code == 0:
            break
        fills += 1
        if fault := processes.judge(code, said):
            return fills, fault
        if "the disk is full" not in said:
            return fills, f"no word of the disk: {said}"
    code, said = processes.call(job.argv(disk / "work"))
    if code != 0 or "is damaged" in said:
        return fills, f"with room again: exit code {code} with {said}"
    return fills, processes.difference(processes.contents(disk / "work"), job.expected)


def _mount(disk: pathlib.Path, size: int, how: str = "") -> None:
    command = ["mount", "-t", "tmpfs", "-o", f"{how}size={size}", "tmpfs", str(disk)]
    subprocess.run(command, check=True, capture_output=True)


def _close(disk: pathlib.Path) -> None:
    """Leave little room on the disk, whose job goes on writing: it may have taken more by the time that it is asked."""
    for _ in range(100):
        with contextlib.suppress(subprocess.CalledProcessError):
            _mount(disk, shutil.disk_usage(disk).used + (64 << 10), "remount,")
            return
    raise RuntimeError(f"{disk} cannot be made smaller")


def _fill(path: pathlib.Path) -> None:
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def main() -> None:
    """Make one attempt in this process's own mount namespace; what to do comes as JSON, and what was found goes so."""
    name, disk = sys.argv[1:]
    given = json.load(sys.stdin)
    job = work.Job(**{**given, "arguments": tuple(given["arguments"])})
    fills, fault = attempt(job, pathlib.Path(disk), random.Random(name))
    print(json.dumps({"fills": fills, "fault": fault}))


if __name__ == "__main__":
    main()
