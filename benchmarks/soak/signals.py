"""Signals at random moments: each has to end the command with its code, one line that says so and no traceback.

python -m benchmarks.soak.signals [--tries 100] [--seed 0]

Two fifths of the tries fall into the first 1.2 s of a process, while it imports, the others into the 20 s after, while
it loads, compiles, trains and saves. Moments are counted from when the process can hear a signal: before, while the
interpreter itself starts, SIGTERM and SIGINT do what they do to every Python program.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

ROOT = pathlib.Path(__file__).parents[2]
PROCSUP = (sys.executable, "-c", "from procsup_jax.console import console; console()")
EARLY_S, LATE_S, SHARE_EARLY = 1.2, 20.0, 0.4
# A step, a checkpoint and the process's end; on a busy machine.
PATIENCE_S = 120.0


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


def main() -> None:
    """Send signals and say how many ended the command as promised; exit 1 unless all did."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    chance = random.Random(args.seed)
    num_early = round(args.tries * SHARE_EARLY)
    with tempfile.TemporaryDirectory() as name:
        commands = make_commands(pathlib.Path(name))
        outcomes = []
        for i in range(args.tries):
            after_s = chance.uniform(0, EARLY_S) if i < num_early else chance.uniform(EARLY_S, EARLY_S + LATE_S)
            job = chance.choice(list(commands)) if i < num_early else "train"
            outcomes.append(attempt(job, commands[job], chance.choice((signal.SIGINT, signal.SIGTERM)), after_s))
            if outcomes[-1].fault:
                print(f"{outcomes[-1].fault}: {outcomes[-1]}", flush=True)
    print(summary(outcomes))
    sys.exit(any(each.fault for each in outcomes))


def make_commands(folder: pathlib.Path) -> dict[str, Sequence[str]]:
    """Return jobs that outlast the tries, by name; their files lie in `folder`."""
    problems = folder / "p.jsonl"
    subprocess.run([*PROCSUP, "data", "--dataset=worlds", "--num=64", f"--output={problems}"], cwd=ROOT, check=True)
    fit = {"num_steps": 100_000, "batch_size": 4, "checkpoint_every": 5, "eval_every": 10, "log_every": 5}
    train = ["train", "--task=sft", "--model=worlds_base", f"--problems={problems}", f"--output={folder / 'model'}"]
    changes = [f"--config.fit.{name}={value}" for name, value in fit.items()]
    return {
        "train": [*train, "--config=configs/train.py", "--config.seq_len=256", *changes],
        "run": ["run", "--config=configs/demo.py", f"--workdir={folder / 'run'}"],
        "sample": ["sample", "--k=1000", "--policy=worlds_base", f"--problems={problems}", f"--output={folder / 's'}"],
    }


def attempt(job: str, arguments: Sequence[str], number: signal.Signals, after_s: float) -> Outcome:
    """Start a job, send it a signal `after_s` seconds after it can hear one, and wait for its end."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # an ignored one would be ignored by the child
    try:
        process = subprocess.Popen(
            [*PROCSUP, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
    finally:
        signal.signal(signal.SIGINT, before)
    try:
        while process.poll() is None and not hears(process.pid):
            time.sleep(0.001)
        time.sleep(after_s)
        process.send_signal(number)
        sent = time.monotonic()
        _, stderr = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    return Outcome(job, number, after_s, process.returncode, time.monotonic() - sent, stderr)


def hears(pid: int) -> bool:
    """Return whether a process keeps SIGTERM waiting for the thread that takes it (Linux)."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    [blocked] = [line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:")]
    return bool(int(blocked, 16) >> (signal.SIGTERM - 1) & 1)


def summary(outcomes: Sequence[Outcome]) -> str:
    """Return one line for each job and signal."""
    groups: dict[str, list[Outcome]] = collections.defaultdict(list)
    for each in outcomes:
        groups[f"{each.job} {each.number.name} {'early' if each.after_s < EARLY_S else 'later'}"].append(each)
    lines = [
        f"{name}: {sum(not each.fault for each in some)} of {len(some)} as promised, "
        f"the slowest end after {max(each.ended_s for each in some):.1f} s"
        for name, some in sorted(groups.items())
    ]
    right = sum(not each.fault for each in outcomes)
    return "\n".join([*lines, f"signals: {right} of {len(outcomes)} as promised ({os.cpu_count()} cores)"])


if __name__ == "__main__":
    main()
