"""Processes of the command that are killed, crowded and starved, and what they leave in their folders."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any, Self

ROOT = pathlib.Path(__file__).parents[2]
PROCSUP = (sys.executable, "-c", "from procsup_jax.console import console; console()")
# A step, a checkpoint and the process's end, or a whole run; on a busy machine.
PATIENCE_S, WHOLE_S = 120.0, 1800.0
# What depends on the clock: files, and keys of JSON files.
_TIMED_FILES = ("timing.jsonl", "report.html")
_TIMED_KEYS = ("wall_clock", "wall_clock_s", "compile_s", "programs_compiled", "programs_cached")


class Process:
    """Run one command line of procsup; its errors go to a file, so that it never waits for a reader."""

    def __init__(self, arguments: Sequence[str], **options: Any) -> None:
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - closed below
        # An ignored one would be ignored by the child.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            self.popen = subprocess.Popen(
                [*PROCSUP, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=self._errors, **options
            )
        finally:
            signal.signal(signal.SIGINT, before)

    @property
    def runs(self) -> bool:
        """Return whether it has not ended."""
        return self.popen.poll() is None

    def hears(self) -> bool:
        """Return whether it keeps SIGTERM waiting for the thread that takes it (Linux); before, it is Python's."""
        try:
            status = pathlib.Path(f"/proc/{self.popen.pid}/status").read_text()
        except OSError:
            return False
        blocked = [line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:")]
        return bool(blocked) and bool(int(blocked[0], 16) >> (signal.SIGTERM - 1) & 1)

    def wait_until_it_hears(self) -> None:
        """Return when it hears signals, or has ended."""
        while self.runs and not self.hears():
            time.sleep(0.001)

    def wait_at_most(self, seconds: float) -> None:
        """Return after some seconds, or when it has ended."""
        end = time.monotonic() + seconds
        while self.runs and time.monotonic() < end:
            time.sleep(0.005)

    def end(self, patience_s: float = WHOLE_S) -> tuple[int, str]:
        """Wait for its end, and return its code and what it said."""
        code = self.popen.wait(patience_s)
        self._errors.seek(0)
        return code, self._errors.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.popen.kill()
        self.popen.wait()
        self._errors.close()


def call(arguments: Sequence[str], **options: Any) -> tuple[int, str]:
    """Run one command line to its end, and return its code and what it said."""
    with Process(arguments, **options) as process:
        return process.end()


def judge(code: int | None, said: str) -> str:
    """Say what is wrong with how a command ended, "" for nothing: well, or with 2 and one line as the last."""
    lines = [line for line in said.splitlines() if line.startswith("procsup:") and "warning" not in line]
    if code == 0 and not lines:
        return ""
    if code == 2 and len(lines) == 1 and said.rstrip().splitlines()[-1] == lines[0]:
        return ""
    return f"exit code {code} with: {said[-2000:]}"


def contents(folder: pathlib.Path) -> dict[str, str]:
    """Return the SHA-256 of every file in a folder by its name, what depends on the clock left out of both."""
    found = {}
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        name = str(path.relative_to(folder))
        if path.name in _TIMED_FILES or "tensorboard" in path.parts:
            continue
        content = path.read_bytes()
        if path.name == "results.json" or path.parent.name == "stages":
            timeless = {key: value for key, value in json.loads(content).items() if key not in _TIMED_KEYS}
            content = json.dumps(timeless).encode()
        found[name] = hashlib.sha256(content).hexdigest()
    return found


def difference(found: dict[str, str], expected: dict[str, str]) -> str:
    """Say in what two folders differ, "" for in nothing."""
    names = [name for name in sorted({*found, *expected}) if found.get(name) != expected.get(name)]
    kinds = {name: "missing" if name not in found else "extra" if name not in expected else "other" for name in names}
    return ", ".join(f"{name} ({kind})" for name, kind in list(kinds.items())[:10])


def without_a_device() -> None:
    """Let this process and those that it starts compute on the CPU, whose results are the same to the bit."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
