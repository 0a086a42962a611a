"""A training step as `fit` takes it: AdamW, the next-token loss, gradients clipped to a norm of 1."""

from __future__ import annotations

import numpy as np

from benchmarks import cost
from benchmarks.contender import Made
from benchmarks.ours import model
from benchmarks.workload import Task
from procsup_jax.data import pack
from procsup_jax.data.pipeline import Batches
from procsup_jax.training.programs import programs
from procsup_jax.training.settings import OptimSettings
from procsup_jax.training.step import place

RATE = 1e-4


def make(task: Task, dtype: str = "") -> Made:
    """Return the step; `dtype` is the type it computes in, the task's unless given."""
    dtype = dtype or task.dtype
    policy = model.load(task, dtype)
    ids = np.random.default_rng(0).integers(0, task.shape.vocab_size, (task.batch_size, task.seq_len + 1))
    packed = pack.pack([pack.document_example(row) for row in ids], task.seq_len)
    batch = place(next(Batches(packed, task.batch_size, 0)), 1, None)
    compiled = programs(policy.config, None, OptimSettings(weight_decay=0.1, clip_norm=1.0), None)
    state = compiled.init(policy.params)

    def run() -> dict[str, float]:
        nonlocal state
        state, info = compiled.step(state, batch, RATE, None)
        return {"loss": float(info.sums.loss) / float(info.sums.weight)}

    least = cost.training(task) if dtype == task.dtype else None
    return Made(run, task.batch_size * task.seq_len, "tokens", model.versions(), model.THREADS, least)
