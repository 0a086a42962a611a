"""The files of one evaluation or vote, read with the answers that their solutions give."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Literal

from procsup_jax import records, remote
from procsup_jax.errors import UserError
from procsup_jax.evals import join
from procsup_jax.evals.judges import check_judges
from procsup_jax.searching import decodings
from procsup_jax.text import answered
from procsup_jax.text.answered import Answered
from procsup_jax.text.answers import Reading
from procsup_jax.text.layout import LINES, preset
from procsup_jax.types import Problem, Sample, Score, StepLabels

LayoutName = Literal["", "lines", "paragraphs"]


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Hold the records of an evaluation as they were read, and what was done to them on the way.

    `left_out` counts bad lines, `answered` says what the samples' answers were before.
    """

    problems: list[Problem]
    answered: Answered
    scores: dict[str, list[Score]]
    labels: list[StepLabels]
    left_out: int = 0

    @property
    def samples(self) -> list[Sample]:
        """Return the samples."""
        return self.answered.samples


@dataclasses.dataclass(frozen=True)
class Files:
    """Name the files of an evaluation; `scores` are those of each reward model, by its name, as NAME=FILE.

    Without `problems` they are those that the samples are of, without questions or answers. A vote does not need any.
    With `force` scores are taken as the judge's that they are given as, whatever they say.
    """

    problems: pathlib.Path | None
    samples: Sequence[pathlib.Path]
    scores: Sequence[str] = ()
    labels: Sequence[pathlib.Path] = ()
    need_answers: bool = True
    force: bool = False

    def read(self, reading: Reading = "flexible", marker: str = LINES.answer_marker, *, skip_bad: bool) -> Inputs:
        """Return the records, and warn of answers that contradict their solutions.

        Raises `UserError` at a bad line, for a problem without a final answer and for another judge's scores; with
        `skip_bad` bad lines and problems are left out, and what can not be joined without them, and counted in a line.
        """
        left_out: list[str] = []
        scores = read_scores(self.scores, skip_bad=skip_bad, left_out=left_out, force=self.force)
        problems, uids = [], None
        if self.problems is not None:
            problems = records.read_problems(self.problems, skip_bad=skip_bad, left_out=left_out)
            if self.need_answers:
                problems = answered.problems(problems, left_out if skip_bad else None)
            uids = {problem.uid for problem in problems}
        samples = [
            sample
            for path in self.samples
            for sample in records.read_samples(path, problem_uids=uids, skip_bad=skip_bad, left_out=left_out)
        ]
        labels = [
            label for path in self.labels for label in records.read_labels(path, skip_bad=skip_bad, left_out=left_out)
        ]
        if self.problems is None:
            problems = of_samples(samples)
        if left_out:
            num_read = len(problems), len(samples)
            problems, samples, scores, labels = join.keep_joined(problems, samples, scores, labels)
            orphans = num_read[0] - len(problems), num_read[1] - len(samples)
            print(f"left out {len(left_out)} bad lines and with them {orphans[0]} problems and {orphans[1]} samples")
        found = answered.samples(samples, reading, marker)
        return Inputs(problems, found, scores, labels, len(left_out))


def written(layout: LayoutName) -> tuple[str, str | None]:
    """Return the answer marker and the separator of steps in a layout; where none is named the latter is not known."""
    found = preset(layout) if layout else LINES
    return found.answer_marker, found.separator if layout else None


def of_samples(samples: Sequence[Sample]) -> list[Problem]:
    """Return the problems that samples are of, in the order in which they are met, by their uids alone."""
    return [Problem(uid, "", "") for uid in dict.fromkeys(sample.problem_uid for sample in samples)]


def read_scores(
    named: Sequence[str], *, skip_bad: bool = False, left_out: list[str] | None = None, force: bool = False
) -> dict[str, list[Score]]:
    """Return the scores in files given as NAME=FILE, those of one name together.

    Errors as in `read_problems` and, without `force`, as in `check_judges`.
    """
    by_judge: dict[str, list[Score]] = {}
    for judge, path in map(named_file, named):
        by_judge.setdefault(judge, []).extend(records.read_scores(path, skip_bad=skip_bad, left_out=left_out))
    if not force:
        check_judges(by_judge)
    return by_judge


def named_file(given: str) -> tuple[str, pathlib.Path]:
    """Return the name and the file of a value NAME=FILE; raise `UserError` for what is none."""
    name, equals, path = given.partition("=")
    if not equals or not path:
        raise UserError(f"--scores={given}: expected --scores=NAME=FILE, such as --scores=prm=scores.jsonl")
    decodings.check_judge(name)
    return name, remote.path_of(path)
