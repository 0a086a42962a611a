"""Outcome labels: every step of a sample is as right as its final answer (the paper's ORM)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from procsup_jax import grouping
from procsup_jax.text import answers, steps
from procsup_jax.types import Problem, Sample, StepLabels


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Label by the final answer; `separator` stands between steps that are not given."""

    separator: str = steps.SEPARATOR
    name: ClassVar[str] = "outcome"

    def label(self, problems: Sequence[Problem], samples: Sequence[Sample]) -> list[StepLabels]:
        """Label the samples, in their order: `first_error` is -1 where the final answer is right, else 0.

        A sample without a final answer is wrong. Raises `UserError` for a sample whose problem is missing.
        """
        by_uid = grouping.by_uid(problems)
        return [self._label(grouping.problem_of(by_uid, sample), sample) for sample in samples]

    def _label(self, problem: Problem, sample: Sample) -> StepLabels:
        first_error = -1 if answers.same_answer(sample.answer, problem.answer) else 0
        num_steps = len(steps.steps_of(sample, self.separator))
        return StepLabels(*sample.key[:2], first_error, num_steps, self.name, self.name, decoding=sample.decoding)
