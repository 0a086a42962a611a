"""Sampling with our engine, calculator, a key for each sample and text output included."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import cost
from benchmarks.contender import Made
from benchmarks.ours import model
from benchmarks.workload import FIRST_START_ID, Task
from procsup_jax.decode import engine, generate
from procsup_jax.decode.settings import DecodeSettings


def make(task: Task, lanes: int = 1, calculator: bool = True) -> Made:
    """Return our sampler; `lanes` share the slots, of which there are as many as a problem has samples."""
    loaded = model.load(task)
    lens = np.stack([task.lengths(problem) for problem in range(task.num_problems)])
    # Random weights end nowhere by themselves, and must not end by chance: the schedule replaces the engine's rule.
    setattr(engine, "_ends", _scheduled(lens))  # noqa: B010
    settings = DecodeSettings(
        num_samples=task.num_samples, max_new_tokens=task.new_tokens, lanes=lanes,
        slots=task.num_samples // lanes, calculator=calculator,
    )  # fmt: skip
    prompts = [generate.Prompt(f"p{i}", task.prompt(i)) for i in range(task.num_problems)]
    seed = 0

    def run() -> dict[str, int]:
        nonlocal seed
        seed += 1
        found = generate.generate(*loaded, prompts, settings, seed=seed)
        samples = [generate.to_sample(loaded.vocab, each, None) for row in found for each in row]
        if [each.tokens for each in samples] != lens.reshape(-1).tolist():
            raise AssertionError("the samples' lengths are not the schedule's")
        return {"characters": sum(len(each.solution) for each in samples)}

    return Made(
        run, task.num_tokens, "tokens", model.versions(), model.THREADS, cost.sampling(task),
        lambda: model.next_logits(loaded, task.prompt(0)),
    )  # fmt: skip


def _scheduled(lens_pk: np.ndarray) -> Callable[[engine.Program, engine.Lanes, jax.Array], jax.Array]:
    last = lens_pk.shape[1] - 1

    def ends(program: engine.Program, state: engine.Lanes, token_ng: jax.Array) -> jax.Array:
        problem_n1 = state.start_n[:, None] - FIRST_START_ID
        return state.count_ng + 1 >= jnp.asarray(lens_pk)[problem_n1, jnp.minimum(state.sample_ng, last)]

    return ends
