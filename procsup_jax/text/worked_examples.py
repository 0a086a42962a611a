"""Worked examples: which problems a few-shot prompt shows with their solutions."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from procsup_jax.errors import UserError
from procsup_jax.types import Problem

# How often examples are drawn anew before it is said that none fit.
MAX_DRAWS = 1000


def choose_examples(
    problems: Sequence[Problem], n: int, seed: int, fit: Callable[[Sequence[Problem]], bool] = lambda _: True
) -> list[Problem]:
    """Return `n` problems drawn at random, without repeats, among those that have a reference trace.

    Where they do not `fit`, others are drawn. Raises `UserError` where fewer than `n` have a trace, and when none of
    MAX_DRAWS draws fit.
    """
    solved = [problem for problem in problems if problem.solution is not None]
    if n > len(solved):
        raise UserError(
            f"{n} worked examples were asked for, but {len(solved)} of {len(problems)} problems have a "
            '"solution"; lower the number or add reference solutions'
        )
    rng = random.Random(seed)
    draws = (rng.sample(solved, n) for _ in range(MAX_DRAWS))
    chosen = next(filter(fit, draws), None)
    if chosen is None:
        raise UserError(
            f"{n} worked examples were asked for, but in {MAX_DRAWS} draws no {n} were short enough for what the model "
            "reads at a time; lower the number, or the room for new tokens"
        )
    return chosen
