"""From the probabilities of a solution's steps to one score of the solution."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, get_args

from procsup_jax.errors import UserError
from procsup_jax.types import Sample, Score

Aggregate = Literal["last", "min", "prod", "mean", "per_step"]
AGGREGATES: tuple[str, ...] = get_args(Aggregate)

_RULES: dict[str, Callable[[Sequence[float]], float]] = {
    "last": lambda step_probs: step_probs[-1],
    "min": min,
    "prod": math.prod,
    "mean": lambda step_probs: math.fsum(step_probs) / len(step_probs),
    "per_step": lambda step_probs: float(step_probs[-1]) ** (1 / len(step_probs)),
}


def aggregate(step_probs: Sequence[float], how: Aggregate | str = "last") -> float:
    """Return the score of a whole solution from the probability of `correct` after each of its steps.

    A solution without steps scores 0.0, the lowest there is. The paper does not state its rule; `last`, the default,
    is where an outcome label and the final answer meet. `per_step` is the last one's root of the number of steps: where
    probabilities are products (`config.rm_head`), what a step leaves of them in the geometric mean, so that a
    solution does not rank higher for having fewer steps. Raises `UserError` for a rule it does not know.
    """
    if how not in _RULES:
        raise UserError(f"aggregate is {how!r}, expected one of {', '.join(AGGREGATES)}")
    return float(_RULES[how](step_probs)) if len(step_probs) else 0.0


def to_scores(samples: Sequence[Sample], probs: Sequence[Iterable[float]], how: str, rm: str | None) -> list[Score]:
    """Return the score records of samples and their steps' probabilities, to six decimals; `rm` names the scorer."""
    rounded = [tuple(round(float(prob), 6) for prob in each) for each in probs]
    return [
        Score(sample.problem_uid, sample.sample, each, aggregate(each, how), how, rm, sample.decoding)
        for sample, each in zip(samples, rounded, strict=True)
    ]


def with_aggregate(scores: Iterable[Score], how: Aggregate | str) -> list[Score]:
    """Return score records of the same steps' probabilities under another rule."""
    return [dataclasses.replace(each, score=aggregate(each.step_probs, how), aggregate=how) for each in scores]
