"""The label sources by the name that configs and commands use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from procsup_jax.labels import intermediate, oracle, outcome
from procsup_jax.types import Problem, Sample, StepLabels

Source = Literal["outcome", "oracle", "intermediate"]
LABEL: Mapping[str, Callable[[Sequence[Problem], Sequence[Sample]], list[StepLabels]]] = {
    "outcome": outcome.label,
    "oracle": oracle.label,
    "intermediate": intermediate.label,
}
