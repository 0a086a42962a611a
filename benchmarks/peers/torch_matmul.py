"""The rate of a large product in torch."""

from __future__ import annotations

import torch

from benchmarks.contender import Made
from benchmarks.peers import torch_device
from benchmarks.workload import Task

REPEATS = 4


def make(task: Task, dtype: str = "") -> Made:
    """Return products of square matrices, of the task's type unless another is given."""
    dtype = dtype or task.dtype
    width = task.matmul_width(dtype)
    torch.set_num_threads(1)
    a = torch.rand((width, width), device=torch_device.of(task)).to(getattr(torch, dtype))

    def run() -> None:
        for _ in range(REPEATS):
            torch.mm(a, a)
        torch_device.wait(task)

    return Made(run, REPEATS * 2 * width**3 / 1e9, "GFLOP", {"torch": torch.__version__}, 1)
