"""Where torch keeps a task's arrays."""

from __future__ import annotations

import torch

from benchmarks.workload import Task


def of(task: Task) -> str:
    """Return torch's name of the task's device."""
    return "cuda" if task.device == "gpu" else "cpu"


def wait(task: Task) -> None:
    """Wait until what was given to the device is done."""
    if task.device == "gpu":
        torch.cuda.synchronize()
