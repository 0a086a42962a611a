"""Outcome labels: every step of a sample is as right as its final answer (the paper's ORM)."""

from __future__ import annotations

from collections.abc import Sequence

from procsup_jax import grouping
from procsup_jax.text import answers, steps
from procsup_jax.types import Problem, Sample, StepLabels


def label(problems: Sequence[Problem], samples: Sequence[Sample]) -> list[StepLabels]:
    """Label the samples, in their order: `first_error` is -1 where the final answer is right, else 0.

    A sample without a final answer is wrong. Raises `UserError` for a sample whose problem is missing.
    """
    by_uid = grouping.by_uid(problems)
    return [_label(grouping.problem_of(by_uid, sample), sample) for sample in samples]


def _label(problem: Problem, sample: Sample) -> StepLabels:
    right = answers.same_answer(sample.answer, problem.answer)
    num_steps = len(steps.steps_of(sample))
    return StepLabels(
        problem.uid, sample.sample, -1 if right else 0, num_steps, "outcome", "outcome", decoding=sample.decoding
    )
