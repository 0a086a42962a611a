"""The records that cross package borders, one class a file format (see docs/formats.md)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

# What joins a sample to its scores and labels: its problem, its index and its decoding (None: drawn).
Key = tuple[str, int, str | None]


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

    `sample` counts the solutions of one problem and `decoding` from 0; `decoding` is None for one drawn at a
    temperature, else one of `searching.decodings`. `answer` is the normalised final answer or None when the solution
    has none; `logprob` is in nats under the sampling policy. `tokens` counts generated tokens, `policy_tokens` and
    `rm_tokens` those that a search sampled and had its reward model read. `steps` are the solution's steps where they
    are given; without them the solution's text is split (`text.steps.steps_of`). `token_ids` are what the policy wrote
    where that differs from the encoding of the text, by the tokenizer whose digest is `tokenizer`.
    """

    problem_uid: str
    sample: int
    solution: str
    answer: str | None = None
    logprob: float | None = None
    tokens: int | None = None
    policy: str | None = None
    decoding: str | None = None
    policy_tokens: int | None = None
    rm_tokens: int | None = None
    steps: tuple[str, ...] | None = None
    token_ids: tuple[int, ...] | None = None
    tokenizer: str | None = None
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def key(self) -> Key:
        """Return what joins a sample to its score and its labels."""
        return self.problem_uid, self.sample, self.decoding


@dataclasses.dataclass(frozen=True)
class Score:
    """Hold a reward model's probability of `correct` after each step, and their aggregate."""

    problem_uid: str
    sample: int
    step_probs: tuple[float, ...]
    score: float
    aggregate: str
    rm: str | None = None
    decoding: str | None = None
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def key(self) -> Key:
        """Return what joins a score to its sample."""
        return self.problem_uid, self.sample, self.decoding


@dataclasses.dataclass(frozen=True)
class StepLabels:
    """Hold one rater's verdict on the steps of a solution.

    `first_error` is the 0-based index of the first wrong step, -1 when there is none; every step from it on counts
    as wrong (paper: "are the steps so far correct"). A source that judges each step on its own, such as Li et al.'s
    intermediate values, gives `steps`, and then these hold instead: 1 or True for correct, 0 or False for incorrect,
    between them how probably it is correct, None for unknown. `first_error` is None where it is not determined.
    """

    problem_uid: str
    sample: int
    first_error: int | None
    num_steps: int
    rater: str
    source: str
    flags: tuple[str, ...] = ()
    steps: tuple[float | None, ...] | None = None
    decoding: str | None = None
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def key(self) -> Key:
        """Return what joins labels to their sample."""
        return self.problem_uid, self.sample, self.decoding

    @property
    def targets(self) -> tuple[float | None, ...]:
        """Return how probably each step is correct, None where it is unknown."""
        if self.steps is not None:
            return self.steps
        if self.first_error is None:
            return (None,) * self.num_steps
        end = self.num_steps if self.first_error < 0 else self.first_error
        return tuple(i < end for i in range(self.num_steps))

    @property
    def correct(self) -> tuple[bool | None, ...]:
        """Return the verdict on each step, correct from a probability of .5 on, None where it is unknown."""
        return tuple(None if target is None else target >= 0.5 for target in self.targets)

    @property
    def trace_correct(self) -> bool | None:
        """Return whether every step is correct; None where no step is known to be wrong and some are unknown."""
        if self.steps is None:
            return None if self.first_error is None else self.first_error < 0
        if False in self.correct:
            return False
        return None if None in self.correct else True


@dataclasses.dataclass(frozen=True)
class CalculatorFault:
    """Point at an annotation `<<expression=written>>` whose value is not `value` (None: not computable)."""

    step: int
    expression: str
    written: str
    value: str | None


@dataclasses.dataclass(frozen=True)
class Graded:
    """Hold a sample with its steps, its verdict against the reference answer, and its calculator faults.

    `marker` names what the answer was read by (`text.answers.markers`), None where none was found. `correct_strict` and
    `correct_flexible` are the verdicts by either reading; `correct` is the one that was asked for.
    """

    sample: Sample
    steps: tuple[str, ...]
    correct: bool
    calculator_faults: tuple[CalculatorFault, ...] = ()
    marker: str | None = None
    correct_strict: bool | None = None
    correct_flexible: bool | None = None
