"""Grade solutions: final answer, correctness, steps, calculator faults. Imports nothing that is slow to start."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated

from procsup_jax import grouping, records
from procsup_jax.errors import UserError
from procsup_jax.flags import About
from procsup_jax.jobs import shared
from procsup_jax.progress import Progress
from procsup_jax.text import answered, answers, calculator, steps
from procsup_jax.text.answers.symbolic import Equal, symbolic_equality
from procsup_jax.text.layout import LINES, Layout, StepLayout, preset
from procsup_jax.types import Graded, Problem, Sample


def run(
    problems: Annotated[pathlib.Path, shared.PROBLEMS],
    samples: Annotated[pathlib.Path | None, shared.SAMPLES] = None,
    output: Annotated[pathlib.Path | None, About("the graded file to write", writes="file")] = None,
    layout: Annotated[StepLayout, shared.LAYOUT] = "lines",
    answers_: Annotated[answers.Reading, shared.ANSWERS] = "flexible",
    symbolic: Annotated[bool, About("also take answers for equal that the library math-verify does")] = False,
    skip_bad: Annotated[bool, shared.SKIP_BAD] = False,
) -> dict[str, int]:
    r"""Grade samples.jsonl against problems.jsonl, write graded.jsonl to `output` and print a summary line.

    The answer is read from the solution anew: flexible in every form that language models write (docs/formats.md),
    strict behind the layout's own marker only ("#### " of lines, "\boxed{" of paragraphs). Without --samples the
    problems' own reference solutions are graded (as sample 0 of the policy "reference"), without --output nothing is
    written. --symbolic finds 11+x and x+11 equal. --skip_bad also leaves out samples of unknown problems, and problems
    without an answer or without a solution to grade.

    Returns the summary: `n` solutions, how many are `correct` by the reading asked for, by the `strict` and by the
    `flexible` one, have `no_answer`, their calculator `faults`, and how many were `left_out`.
    """
    left_out: list[str] = []
    equal = symbolic_equality() if symbolic else answers.same_answer
    found = records.read_problems(problems, skip_bad=skip_bad, left_out=left_out)
    by_uid = grouping.by_uid(answered.problems(found, left_out if skip_bad else None))
    if samples is None:
        to_grade = _references(by_uid.values(), problems, skip_bad, left_out)
    else:
        to_grade = records.read_samples(samples, problem_uids=by_uid, skip_bad=skip_bad, left_out=left_out)
    summary = {"n": 0, "correct": 0, "strict": 0, "flexible": 0, "no_answer": 0, "faults": 0, "left_out": len(left_out)}
    graded = _counted(_graded(by_uid, to_grade, Grader(preset(layout), answers_, equal)), summary)
    if output is None:
        for _ in graded:
            pass
    else:
        records.write_graded(output, graded)
    print(_line(summary))
    return summary


@dataclasses.dataclass(frozen=True)
class Grader:
    """Grade solutions of a layout: its separator stands between their steps, its marker is the problems' own."""

    layout: Layout = LINES
    reading: answers.Reading = "flexible"
    equal: Equal = answers.same_answer

    def grade(self, problem: Problem, sample: Sample) -> Graded:
        """Grade one solution; the sample in the result holds the answer found in it."""
        marker = self.layout.answer_marker
        flexible = answers.read_answer(sample.solution, "flexible", marker)
        strict = answers.read_answer(sample.solution, "strict", marker)
        right = {"flexible": self._is_right(flexible, problem), "strict": self._is_right(strict, problem)}
        found = strict if self.reading == "strict" else flexible
        answer, name = (None, None) if found is None else found
        split = tuple(steps.steps_of(sample, self.layout.separator))
        if sample.answer != answer:
            sample = dataclasses.replace(sample, answer=answer)
        faults = calculator.faults(split)
        return Graded(sample, split, right[self.reading], faults, name, right["strict"], right["flexible"])

    def _is_right(self, found: answers.Found | None, problem: Problem) -> bool:
        return found is not None and self.equal(found.answer, problem.answer)


def _references(problems: Iterable[Problem], path: pathlib.Path, skip_bad: bool, left_out: list[str]) -> list[Sample]:
    samples = []
    for problem in problems:
        if problem.solution is not None:
            samples.append(Sample(problem.uid, 0, problem.solution, problem.answer, policy="reference"))
            continue
        message = f'{path}: problem {problem.uid!r} has no "solution" to grade; add one, or pass --samples'
        if not skip_bad:
            raise UserError(message)
        left_out.append(message)
    return samples


def _graded(problems: Mapping[str, Problem], samples: list[Sample], grader: Grader) -> Iterator[Graded]:
    with Progress("grade", len(samples), "solutions") as progress:
        for sample in samples:
            yield grader.grade(problems[sample.problem_uid], sample)
            progress.update()


def _counted(graded: Iterable[Graded], summary: dict[str, int]) -> Iterator[Graded]:
    for one in graded:
        summary["n"] += 1
        summary["correct"] += one.correct
        summary["strict"] += one.correct_strict is True
        summary["flexible"] += one.correct_flexible is True
        summary["no_answer"] += one.sample.answer is None
        summary["faults"] += len(one.calculator_faults)
        yield one


def _line(summary: Mapping[str, int]) -> str:
    counts = {name: str(count) for name, count in summary.items()}
    if summary["n"]:
        shares = {name: f"{100 * count / summary['n']:.1f} %" for name, count in summary.items()}
        readings = f"; read strictly {shares['strict']}, flexibly {shares['flexible']}"
        counts["correct"] += f" correct ({shares['correct']}{readings})"
        counts["no_answer"] += f" without an answer ({shares['no_answer']})"
    else:
        counts["correct"] += " correct"
        counts["no_answer"] += " without an answer"
    return (
        f"{counts['n']} solutions: {counts['correct']}, {counts['no_answer']}, {counts['faults']} calculator faults; "
        f"{counts['left_out']} left out"
    )
