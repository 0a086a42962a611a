"""The rate of a large product in torch."""

from __future__ import annotations

import torch

from benchmarks.contender import Made
from benchmarks.workload import Task

# Where the processor has no products in bfloat16, torch takes a hundred times as long for them.
WIDTHS, REPEATS = {"float32": 2048, "bfloat16": 512}, 4


def make(task: Task, dtype: str = "float32") -> Made:
    """Return products of square matrices."""
    width = WIDTHS[dtype]
    torch.set_num_threads(1)
    a = torch.full((width, width), 0.5, dtype=getattr(torch, dtype))

    def run() -> None:
        for _ in range(REPEATS):
            torch.mm(a, a)

    return Made(run, REPEATS * 2 * width**3 / 1e9, "GFLOP", {"torch": torch.__version__}, 1)
