"""Problems and samples with the answers that their text gives: what every job that compares answers starts from."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence

from procsup_jax import grouping
from procsup_jax.errors import UserError
from procsup_jax.text import answers
from procsup_jax.types import Problem, Sample


@dataclasses.dataclass(frozen=True)
class Contradiction:
    """Hold a sample's key `answer` and what its solution says instead, None for no answer."""

    sample: Sample
    given: str
    read: str | None


@dataclasses.dataclass(frozen=True)
class Answered:
    """Hold samples whose `answer` is what their solution gives.

    `num_added` counts those that came without one, `contradictions` are those that came with another.
    """

    samples: list[Sample]
    num_added: int = 0
    contradictions: tuple[Contradiction, ...] = ()

    @property
    def warning(self) -> str | None:
        """Return one line about the contradictions, None where there are none."""
        if not self.contradictions:
            return None
        first = self.contradictions[0]
        says = "no answer" if first.read is None else repr(first.read)
        return (
            f'{len(self.contradictions)} of {len(self.samples)} samples have an "answer" that contradicts their '
            f'solution, first {grouping.name(first.sample)}: "answer" is {first.given!r}, the solution gives {says}; '
            "the solution's counts"
        )


def samples(given: Sequence[Sample], reading: answers.Reading = "flexible", marker: str = "#### ") -> Answered:
    """Return samples with the answers that their solutions give, and say which keys `answer` were missing or differ.

    A strict reading finds answers behind `marker` only; an `answer` that the solution gives in another way is then no
    contradiction, and does not count either. The warning, if there is one, goes to standard error.
    """
    found, num_added, contradictions = [], 0, []
    for sample in given:
        read = answers.extract_answer(sample.solution, reading, marker)
        if not answers.is_answer(sample.answer):
            num_added += read is not None
        elif not (_states(sample, read) or (reading == "strict" and _states(sample, _flexible(sample)))):
            contradictions.append(Contradiction(sample, sample.answer or "", read))
        found.append(sample if sample.answer == read else dataclasses.replace(sample, answer=read))
    result = Answered(found, num_added, tuple(contradictions))
    if result.warning is not None:
        print(result.warning, file=sys.stderr)
    return result


def _states(sample: Sample, answer: str | None) -> bool:
    given = sample.answer or ""
    return answers.same_answer(given, answer) or answers.same_answer(answers.gold_answer(given), answer)


def _flexible(sample: Sample) -> str | None:
    return answers.extract_answer(sample.solution)


def problems(given: Sequence[Problem], left_out: list[str] | None = None) -> list[Problem]:
    """Return problems whose `answer` is the final answer alone, where it holds a whole trace or is empty too.

    An empty one is read from the problem's solution. Raises `UserError` for a problem without any; with `left_out`
    such problems are left out instead, and it receives the messages.
    """
    found, without = [], []
    for problem in given:
        answer = _answer(problem)
        if answer is None:
            without.append(problem)
        else:
            found.append(problem if answer == problem.answer else dataclasses.replace(problem, answer=answer))
    if without and left_out is None:
        raise UserError(f"{len(without)} of {len(given)} problems have no final answer, first {_lacks(without[0])}")
    if left_out is not None:
        left_out.extend(_lacks(problem) for problem in without)
    return found


def _answer(problem: Problem) -> str | None:
    answer = answers.gold_answer(problem.answer)
    if answer is None and not problem.answer.strip() and problem.solution is not None:
        answer = answers.extract_answer(problem.solution)
    return answer


def _lacks(problem: Problem) -> str:
    shown = problem.answer if len(problem.answer) <= 40 else problem.answer[:40] + "..."
    return (
        f'problem {problem.uid!r}: its "answer" is {shown!r}, expected the final answer, or a trace with a marker '
        'before it such as "#### "'
    )
