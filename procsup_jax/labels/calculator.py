"""Label by the calculator: a step whose annotations do not compute what they say is wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from procsup_jax import grouping
from procsup_jax.text import calculator, steps
from procsup_jax.types import Problem, Sample, StepLabels


@dataclasses.dataclass(frozen=True)
class Calculator:
    """Label each step by its `<<expression=value>>`; `separator` stands between steps that are not given.

    It sees faults of arithmetic alone, so the share of traces that it calls wrong is less than that of wrong ones.
    """

    separator: str = steps.SEPARATOR
    name: ClassVar[str] = "calculator"

    def label(self, problems: Sequence[Problem], samples: Sequence[Sample]) -> list[StepLabels]:
        """Label each step by itself, the samples in their order; `first_error` is the first wrong one.

        Raises `UserError` for a sample whose problem is missing.
        """
        by_uid = grouping.by_uid(problems)
        labels = []
        for sample in samples:
            grouping.problem_of(by_uid, sample)
            written = steps.steps_of(sample, self.separator)
            wrong = {fault.step for fault in calculator.faults(written)}
            labels.append(
                StepLabels(
                    *sample.key[:2],
                    min(wrong, default=-1),
                    len(written),
                    self.name,
                    self.name,
                    steps=tuple(step not in wrong for step in range(len(written))) or None,
                    decoding=sample.decoding,
                )
            )
        return labels
