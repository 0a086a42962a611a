"""The rate of a large product in jax."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from benchmarks.contender import Made
from benchmarks.ours import model
from benchmarks.workload import Task

# Where the processor has no products in bfloat16, torch takes a hundred times as long for them.
WIDTHS, REPEATS = {"float32": 2048, "bfloat16": 512}, 4


def make(task: Task, dtype: str = "float32") -> Made:
    """Return products of square matrices."""
    width = WIDTHS[dtype]
    a = jnp.full((width, width), 0.5, dtype)
    multiply = jax.jit(lambda x, y: jnp.dot(x, y, preferred_element_type=x.dtype))

    def run() -> None:
        for _ in range(REPEATS):
            found = multiply(a, a)
        found.block_until_ready()

    return Made(run, REPEATS * 2 * width**3 / 1e9, "GFLOP", model.versions(), model.THREADS)
