"""The rate at which memory is read: a dot product of an array, far larger than any cache, with itself."""

from __future__ import annotations

import numpy as np

from benchmarks.contender import Made
from benchmarks.workload import Task

NUM_BYTES, REPEATS = 1 << 28, 4


def make(task: Task) -> Made:
    """Return the dot product, which BLAS reads its one array for once."""
    array = np.ones(NUM_BYTES // 4, np.float32)

    def run() -> None:
        for _ in range(REPEATS):
            np.dot(array, array)

    return Made(run, REPEATS * NUM_BYTES / 1e9, "GB", {"numpy": np.__version__}, 1)
