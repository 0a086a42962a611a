"""Grade solutions: final answer, correctness, steps, calculator faults. Imports nothing that is slow to start."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal

from procsup_jax import grouping, records
from procsup_jax.errors import UserError
from procsup_jax.flags import About
from procsup_jax.jobs import shared
from procsup_jax.progress import Progress
from procsup_jax.text import answers, calculator, steps
from procsup_jax.text.layout import preset
from procsup_jax.types import Graded, Problem, Sample


def run(
    problems: Annotated[pathlib.Path, shared.PROBLEMS],
    samples: Annotated[pathlib.Path | None, shared.SAMPLES] = None,
    output: Annotated[pathlib.Path | None, About("the graded file to write", writes="file")] = None,
    layout: Annotated[Literal["lines", "paragraphs"], shared.LAYOUT] = "lines",
    skip_bad: Annotated[bool, shared.SKIP_BAD] = False,
) -> dict[str, int]:
    """Grade samples.jsonl against problems.jsonl, write graded.jsonl to `output` and print a summary line.

    The answer is read from the solution anew. Steps are lines or, by `layout`, paragraphs, unless a sample gives its
    own. Without `samples` the problems' own reference solutions are graded (as sample 0 of the policy "reference"),
    without `output` nothing is written. `skip_bad` leaves bad lines out instead of stopping, those of unknown problems
    and problems without a solution to grade included.

    Returns the summary: `n` solutions, how many are `correct`, have `no_answer`, their calculator `faults`, and how
    many were `left_out`.
    """
    left_out: list[str] = []
    by_uid = grouping.by_uid(records.read_problems(problems, skip_bad=skip_bad, left_out=left_out))
    if samples is None:
        to_grade = _references(by_uid.values(), problems, skip_bad, left_out)
    else:
        to_grade = records.read_samples(samples, problem_uids=by_uid, skip_bad=skip_bad, left_out=left_out)
    summary = {"n": 0, "correct": 0, "no_answer": 0, "faults": 0, "left_out": len(left_out)}
    graded = _counted(_graded(by_uid, to_grade, preset(layout).separator), summary)
    if output is None:
        for _ in graded:
            pass
    else:
        records.write_graded(output, graded)
    print(_line(summary))
    return summary


def grade(problem: Problem, sample: Sample, separator: str = steps.SEPARATOR) -> Graded:
    """Grade one solution, its steps between `separator`s; the sample in the result holds the answer found in it."""
    answer = answers.extract_answer(sample.solution)
    correct = answers.same_answer(answer, problem.answer)
    split = tuple(steps.steps_of(sample, separator))
    if sample.answer != answer:
        sample = dataclasses.replace(sample, answer=answer)
    return Graded(sample, split, correct, calculator.faults(split))


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


def _graded(problems: Mapping[str, Problem], samples: list[Sample], separator: str) -> Iterator[Graded]:
    with Progress("grade", len(samples), "solutions") as progress:
        for sample in samples:
            yield grade(problems[sample.problem_uid], sample, separator)
            progress.update()


def _counted(graded: Iterable[Graded], summary: dict[str, int]) -> Iterator[Graded]:
    for one in graded:
        summary["n"] += 1
        summary["correct"] += one.correct
        summary["no_answer"] += one.sample.answer is None
        summary["faults"] += len(one.calculator_faults)
        yield one


def _line(summary: Mapping[str, int]) -> str:
    share = f" ({100 * summary['correct'] / summary['n']:.1f} %)" if summary["n"] else ""
    return (
        f"{summary['n']} solutions: {summary['correct']} correct{share}, {summary['no_answer']} without an answer, "
        f"{summary['faults']} calculator faults; {summary['left_out']} left out"
    )
