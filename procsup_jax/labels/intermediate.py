"""Li et al. 2022's heuristic: a step is right when its numeric result stands in the reference solution too."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import ClassVar

from procsup_jax import grouping
from procsup_jax.errors import UserError
from procsup_jax.text import answers, calculator, characters, latex, rationals, steps
from procsup_jax.types import Problem, Sample, StepLabels

Result = Fraction | str

# A step's result stands at its end; longer ones are read from there.
_MAX_CHARACTERS = 1000
# What stands behind the last sign of equality, up to the first word: x = -10/2, or = $2 * 12 apples.
_COMPUTED = re.compile(r"\A[ *_]*([-+$(.0-9][-+*/$(). ,0-9]*?)[ *_.,;:]*(?:[A-Za-z%\\^][^0-9]*)?\Z")


@dataclasses.dataclass(frozen=True)
class Intermediate:
    """Label each step by its result; separators stand between the steps of samples, unless given, and of references."""

    separator: str = steps.SEPARATOR
    reference_separator: str = steps.SEPARATOR
    name: ClassVar[str] = "intermediate"

    def label(self, problems: Sequence[Problem], samples: Sequence[Sample]) -> list[StepLabels]:
        """Label each step by itself, the samples in their order (`StepLabels.steps`; `first_error` is the first wrong).

        A step's result is the value of its last calculator annotation, else what it computes behind its last sign of
        equality, else its last number or fraction; it has to be equal, exactly, to a result in the reference solution.
        A step with a final answer has to give the problem's answer. A step without a number is right: there is nothing
        to compare (ours; the paper does not say). Raises `UserError` for a sample whose problem is missing or has no
        reference solution.
        """
        by_uid = grouping.by_uid(problems)
        results: dict[str, frozenset[Result]] = {}
        labels = []
        for sample in samples:
            problem = grouping.problem_of(by_uid, sample)
            if problem.uid not in results:
                results[problem.uid] = _reference_results(problem, self.reference_separator)
            labels.append(self._label(problem, results[problem.uid], sample))
        return labels

    def _label(self, problem: Problem, reference: frozenset[Result], sample: Sample) -> StepLabels:
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


def _is_right(step: str, problem: Problem, reference: frozenset[Result]) -> bool:
    if steps.is_final_step(step):
        answer = answers.extract_answer(step)
        if answer is None or answers.same_answer(answer, problem.answer):
            return answer is not None
        named = None if isinstance(answers.answer_key(answer), Fraction) else rationals.last_value(answer)  # 9 apples
        return named is not None and named == answers.answer_key(problem.answer)
    results = _results(step)
    return not results or results[-1] in reference


def _reference_results(problem: Problem, separator: str) -> frozenset[Result]:
    if problem.solution is None:
        raise UserError(
            f'problem {problem.uid!r} has no "solution", with whose results the steps are compared; '
            "add reference solutions or choose another label source"
        )
    found = {result for step in steps.split_steps(problem.solution, separator) for result in _results(step)}
    return frozenset(found | {answers.answer_key(problem.answer)})


def _results(step: str) -> list[Result]:
    """Return the values of a step's annotations in order, or what it computes or its last number when it has none."""
    written = [answers.answer_key(annotation.written) for annotation in calculator.annotations(step)]
    if written:
        return written
    plain = characters.plain(step[-_MAX_CHARACTERS:])
    if "<<" in plain:  # an annotation that was not closed: it computes nothing yet
        return [answers.answer_key(number) for number in rationals.numbers(plain)[-1:]]
    computed = _COMPUTED.search(latex.plain_text(plain.rpartition("=")[2])) if "=" in plain else None
    value = None if computed is None else calculator.evaluate(computed[1].replace("$", ""))
    if value is None:
        value = rationals.last_value(latex.plain_fractions(plain))
    return [] if value is None else [value]
