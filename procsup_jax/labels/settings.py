"""What label sources are asked to do, where that has to be said."""

from __future__ import annotations

import dataclasses
from typing import Literal

from procsup_jax.ranges import Count, check

Estimate = Literal["soft", "hard"]


@dataclasses.dataclass(frozen=True)
class RolloutSettings:
    """Set how a step is judged by what a policy makes of it."""

    num_rollouts: Count = 8
    """Completions sampled after each step (Math-Shepherd: 8)."""
    estimate: Estimate = "soft"
    """"soft": a step is as right as the share of them that reach the right answer; "hard": it is right where any
    does."""

    def __post_init__(self) -> None:
        check(self)
