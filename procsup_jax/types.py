"""The records that cross package borders, one class a file format (see docs/design.md, "File formats")."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Problem:
    """State a problem: its text, its normalised final answer and, where there is one, its reference trace."""

    uid: str
    question: str
    answer: str
    solution: str | None = None
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Sample:
    """Hold one solution of a problem.

    `sample` counts the solutions of one problem from 0; `answer` is the normalised final answer or None when the
    solution has none; `logprob` is in nats under the sampling policy; `tokens` counts generated tokens.
    """

    problem_uid: str
    sample: int
    solution: str
    answer: str | None = None
    logprob: float | None = None
    tokens: int | None = None
    policy: str | None = None
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def key(self) -> tuple[str, int]:
        """Return what joins a sample to its score and its labels."""
        return self.problem_uid, self.sample


@dataclasses.dataclass(frozen=True)
class Score:
    """Hold a reward model's probability of `correct` after each step, and their aggregate."""

    problem_uid: str
    sample: int
    step_probs: tuple[float, ...]
    score: float
    aggregate: str
    rm: str | None = None
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def key(self) -> tuple[str, int]:
        """Return what joins a score to its sample."""
        return self.problem_uid, self.sample


@dataclasses.dataclass(frozen=True)
class StepLabels:
    """Hold one rater's verdict on the steps of a solution.

    `first_error` is the 0-based index of the first wrong step, -1 when there is none; every step from it on counts
    as wrong (paper: "are the steps so far correct"). A source that judges each step on its own, such as Li et al.'s
    intermediate values, gives `steps` as well, and then these hold instead.
    """

    problem_uid: str
    sample: int
    first_error: int
    num_steps: int
    rater: str
    source: str
    flags: tuple[str, ...] = ()
    steps: tuple[bool, ...] | None = None
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def key(self) -> tuple[str, int]:
        """Return what joins labels to their sample."""
        return self.problem_uid, self.sample

    @property
    def correct(self) -> tuple[bool, ...]:
        """Return the label of each step, True for correct."""
        if self.steps is not None:
            return self.steps
        end = self.num_steps if self.first_error < 0 else self.first_error
        return tuple(i < end for i in range(self.num_steps))


@dataclasses.dataclass(frozen=True)
class CalculatorFault:
    """Point at an annotation `<<expression=written>>` whose value is not `value` (None: not computable)."""

    step: int
    expression: str
    written: str
    value: str | None


@dataclasses.dataclass(frozen=True)
class Graded:
    """Hold a sample with its steps, its verdict against the reference answer, and its calculator faults."""

    sample: Sample
    steps: tuple[str, ...]
    correct: bool
    calculator_faults: tuple[CalculatorFault, ...] = ()
