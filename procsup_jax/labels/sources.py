"""Sources of step labels: objects with settings of their own, and the names that configs and commands use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

from procsup_jax.errors import UserError
from procsup_jax.labels.calculator import Calculator
from procsup_jax.labels.intermediate import Intermediate
from procsup_jax.labels.oracle import Oracle
from procsup_jax.labels.outcome import Outcome
from procsup_jax.text import answered
from procsup_jax.text.answers import Reading
from procsup_jax.text.layout import LINES
from procsup_jax.text.steps import SEPARATOR
from procsup_jax.types import Problem, Sample, StepLabels


class Source(Protocol):
    """Label the steps of samples; `name` is what its labels carry as their rater."""

    @property
    def name(self) -> str:
        """Return the name."""

    def label(self, problems: Sequence[Problem], samples: Sequence[Sample]) -> list[StepLabels]:
        """Return the labels of the samples, in their order."""


SourceName = Literal["outcome", "oracle", "intermediate", "calculator", "rollouts"]
# What samples from a policy: `labels.rollouts.Rollouts`, which is slow to import.
ROLLOUTS: SourceName = "rollouts"
# Those that compare with the problems' answers.
NEED_ANSWERS = (Outcome.name, Intermediate.name, ROLLOUTS)
_SOURCES: Mapping[SourceName, Callable[[str], Source]] = {
    "outcome": Outcome,
    "oracle": Oracle,
    "intermediate": Intermediate,
    "calculator": Calculator,
}


def source(name: SourceName, separator: str = SEPARATOR) -> Source:
    """Return the source of a name, for solutions whose steps stand between `separator`s.

    Raises UserError for a name that is none, and for "rollouts", which needs a policy: `labels.rollouts.Rollouts`.
    """
    if name == ROLLOUTS:
        raise UserError(f"label source {name!r} samples from a policy: give labels.rollouts.Rollouts(policy, ...)")
    if name not in _SOURCES:
        raise UserError(f"label source {name!r} is unknown: expected one of {', '.join((*_SOURCES, ROLLOUTS))}")
    return _SOURCES[name](separator)


def label_answered(
    source: Source,
    problems: Sequence[Problem],
    samples: Sequence[Sample],
    reading: Reading = "flexible",
    marker: str = LINES.answer_marker,
) -> list[StepLabels]:
    """Label samples by the answers that their solutions give (`text.answered`), with a warning where they say others.

    Raises UserError for a problem without an answer where the source compares answers, and where the source does.
    """
    if source.name in NEED_ANSWERS:
        problems = answered.problems(problems)
    found = answered.samples(samples, reading, marker)
    return source.label(problems, found.samples)
