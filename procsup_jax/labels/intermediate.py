"""Li et al. 2022's heuristic: a step is right when its numeric result stands in the reference solution too."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from procsup_jax import grouping
from procsup_jax.errors import UserError
from procsup_jax.text import answers, calculator, rationals, steps
from procsup_jax.types import Problem, Sample, StepLabels


@dataclasses.dataclass(frozen=True)
class Intermediate:
    """Label each step by its result; separators stand between the steps of samples, unless given, and of references."""

    separator: str = steps.SEPARATOR
    reference_separator: str = steps.SEPARATOR
    name: ClassVar[str] = "intermediate"

    def label(self, problems: Sequence[Problem], samples: Sequence[Sample]) -> list[StepLabels]:
        """Label each step by itself, the samples in their order (`StepLabels.steps`; `first_error` is the first wrong).

        A step's result is the value of its last calculator annotation, else its last number; it has to match, as a
        normalised string, a result in the reference solution. A step with a final answer has to give the problem's
        answer. A step without a number is right: there is nothing to compare (ours; the paper does not say). Raises
        `UserError` for a sample whose problem is missing or has no reference solution.
        """
        by_uid = grouping.by_uid(problems)
        results: dict[str, frozenset[str]] = {}
        labels = []
        for sample in samples:
            problem = grouping.problem_of(by_uid, sample)
            if problem.uid not in results:
                results[problem.uid] = _reference_results(problem, self.reference_separator)
            labels.append(self._label(problem, results[problem.uid], sample))
        return labels

    def _label(self, problem: Problem, reference: frozenset[str], sample: Sample) -> StepLabels:
        right = tuple(_is_right(step, problem, reference) for step in steps.steps_of(sample, self.separator))
        first_error = right.index(False) if False in right else -1
        return StepLabels(
            *sample.key[:2],
            first_error,
            len(right),
            self.name,
            self.name,
            steps=right or None,
            decoding=sample.decoding,
        )


def _is_right(step: str, problem: Problem, reference: frozenset[str]) -> bool:
    if steps.is_final_step(step):
        answer = answers.extract_answer(step)
        return answers.same_answer(answer, problem.answer)
    results = _results(step)
    return not results or results[-1] in reference


def _reference_results(problem: Problem, separator: str) -> frozenset[str]:
    if problem.solution is None:
        raise UserError(
            f'problem {problem.uid!r} has no "solution", with whose results the steps are compared; '
            "add reference solutions or choose another label source"
        )
    found = {result for step in steps.split_steps(problem.solution, separator) for result in _results(step)}
    return frozenset(found | {answers.normalise_answer(problem.answer)})


def _results(step: str) -> list[str]:
    """Return the values of a step's annotations in order, or its last number when it has none."""
    written = [answers.normalise_answer(annotation.written) for annotation in calculator.annotations(step)]
    if written:
        return written
    number = rationals.last_number(step)
    return [] if number is None else [number]
