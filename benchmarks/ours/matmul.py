"""The rate of a large product in jax."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from benchmarks.contender import Made
from benchmarks.ours import model
from benchmarks.workload import Task

REPEATS = 4


def make(task: Task, dtype: str = "") -> Made:
    """Return products of square matrices, of the task's type unless another is given."""
    dtype = dtype or task.dtype
    width = task.matmul_width(dtype)
    a = jnp.full((width, width), 0.5, dtype)
    multiply = jax.jit(lambda x, y: jnp.dot(x, y, preferred_element_type=x.dtype))

    def run() -> None:
        for _ in range(REPEATS):
            found = multiply(a, a)
        found.block_until_ready()

    return Made(run, REPEATS * 2 * width**3 / 1e9, "GFLOP", model.versions(), model.THREADS)
