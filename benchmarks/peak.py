"""The most memory that a process has held at a time, as Linux counts it.

Not getrusage's figure: there a process starts with the peak of the one that started it.
"""

from __future__ import annotations

import pathlib


def read(pid: int) -> float | None:
    """Return the peak since the process began, or since `forget`, in MB; None where the system does not say."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:")), None)


def forget(pid: int) -> None:
    """Let the peak be what the process holds now, where the system can."""
    try:
        pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return
