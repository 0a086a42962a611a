"""The rate at which memory is read: an array, far larger than any cache, summed up or multiplied with itself."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.contender import Made
from benchmarks.workload import Task

NUM_BYTES, REPEATS = {"cpu": 1 << 28, "gpu": 1 << 32}, 4


def make(task: Task) -> Made:
    """Return BLAS's dot product on the CPU, which reads its one array once, or a sum on the GPU."""
    num_bytes = NUM_BYTES[task.device]
    return Made(
        (_on_gpu if task.device == "gpu" else _on_cpu)(num_bytes // 4), REPEATS * num_bytes / 1e9, "GB",
        {"numpy": np.__version__, "jax": jax.__version__}, 1,
    )  # fmt: skip


def _on_cpu(length: int) -> Callable[[], None]:
    array = np.ones(length, np.float32)

    def run() -> None:
        for _ in range(REPEATS):
            np.dot(array, array)

    return run


def _on_gpu(length: int) -> Callable[[], None]:
    array, total = jnp.ones(length, jnp.float32), jax.jit(jnp.sum)

    def run() -> None:
        for _ in range(REPEATS):
            found = total(array)
        found.block_until_ready()

    return run
