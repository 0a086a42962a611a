"""The rate of a large product in jax."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from benchmarks.contender import Made
from benchmarks.ours import model
from benchmarks.workload import Task

WIDTH, REPEATS = 2048, 4


def make(task: Task, dtype: str = "float32") -> Made:
    """Return products of square matrices of 2,048 rows."""
    a = jnp.full((WIDTH, WIDTH), 0.5, dtype)
    multiply = jax.jit(lambda x, y: jnp.dot(x, y, preferred_element_type=x.dtype))

    def run() -> None:
        for _ in range(REPEATS):
            found = multiply(a, a)
        found.block_until_ready()

    return Made(run, REPEATS * 2 * WIDTH**3 / 1e9, "GFLOP", model.versions(), model.THREADS)
