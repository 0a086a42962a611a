"""The rate of a large product in torch."""

from __future__ import annotations

import torch

from benchmarks.contender import Made
from benchmarks.workload import Task

WIDTH, REPEATS = 2048, 4


def make(task: Task, dtype: str = "float32") -> Made:
    """Return products of square matrices of 2,048 rows."""
    torch.set_num_threads(1)
    a = torch.full((WIDTH, WIDTH), 0.5, dtype=getattr(torch, dtype))

    def run() -> None:
        for _ in range(REPEATS):
            torch.mm(a, a)

    return Made(run, REPEATS * 2 * WIDTH**3 / 1e9, "GFLOP", {"torch": torch.__version__}, 1)
