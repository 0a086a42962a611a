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
from procsup_jax.decode.draw import VocabTables
from procsup_jax.decode.settings import DecodeSettings


def make(task: Task, lanes: int = 1, calculator: bool = True) -> Made:
    """Return our sampler; `lanes` share the slots, of which there are as many as a problem has samples."""
    policy = model.load(task)
    lens = np.stack([task.lengths(problem) for problem in range(task.num_problems)])
    # Random weights end nowhere by themselves, and must not end by chance: the schedule replaces the engine's rule.
    setattr(engine, "_record", _scheduled(lens))  # noqa: B010
    settings = DecodeSettings(
        num_samples=task.num_samples, max_new_tokens=task.new_tokens, lanes=lanes,
        slots=task.num_samples // lanes, calculator=calculator,
    )  # fmt: skip
    prompts = [generate.Prompt(f"p{i}", task.prompt(i)) for i in range(task.num_problems)]
    seed = 0

    def run() -> dict[str, int]:
        nonlocal seed
        seed += 1
        found = generate.generate(policy, prompts, settings, seed=seed)
        samples = [generate.to_sample(policy, each) for row in found for each in row]
        if [each.tokens for each in samples] != lens.reshape(-1).tolist():
            raise AssertionError("the samples' lengths are not the schedule's")
        return {"characters": sum(len(each.solution) for each in samples)}

    return Made(
        run, task.num_tokens, "tokens", model.versions(), model.THREADS, cost.sampling(task),
        lambda: model.next_logits(policy, task.prompt(0)),
    )  # fmt: skip


def _scheduled(lens_pk: np.ndarray) -> Callable[..., tuple[engine.Lanes, jax.Array]]:
    """Return `engine._record` with a schedule in place of what ends a sample."""
    record, last = engine._record, lens_pk.shape[1] - 1

    def scheduled(
        program: engine.Program, tables: VocabTables, state: engine.Lanes, token_ng: jax.Array, logprob_ng: jax.Array
    ) -> tuple[engine.Lanes, jax.Array]:
        problem_n1 = state.start_n[:, None] - FIRST_START_ID
        length_ng = jnp.asarray(lens_pk)[problem_n1, jnp.minimum(state.sample_ng, last)]
        free_ng = (state.sample_ng >= state.len_nk.shape[1]) | (state.count_ng + 1 >= length_ng)
        return record(program, tables, state, token_ng, logprob_ng)[0], free_ng

    return scheduled
