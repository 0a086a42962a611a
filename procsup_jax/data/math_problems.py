r"""MATH (Hendrycks et al. 2021) in plain text: one subject of its folder, its files or its hub versions."""

from __future__ import annotations

import collections
import dataclasses
import os
import pathlib
import re
import sys

from procsup_jax import files, json_lines
from procsup_jax.data import rows
from procsup_jax.errors import UserError
from procsup_jax.text import answers, latex
from procsup_jax.types import Problem

# The names of MATH's folders and what its rows call them.
SUBJECTS = {
    "prealgebra": "Prealgebra",
    "algebra": "Algebra",
    "number_theory": "Number Theory",
    "counting_and_probability": "Counting & Probability",
    "geometry": "Geometry",
    "intermediate_algebra": "Intermediate Algebra",
    "precalculus": "Precalculus",
}
_SUBJECT_KEYS = ("type", "subject")
_DIAGRAM = "[asy]"
_DIAGRAM_BLOCK = re.compile(r"\s*\[asy\].*?\[/asy\]\s*", re.DOTALL)


def load_math(
    path: files.PathLike, subject: str = "prealgebra", split: str = "test", *, keep_diagrams: bool = False
) -> list[Problem]:
    r"""Return MATH's problems of a subject in plain text; pre-algebra is the paper's zero-shot OOD set.

    `path` is a file of rows with `problem`, `solution`, and `type` or `subject`, whose problems are called after their
    place in it ("math-prealgebra-12"), or MATH's folder, its `split`'s or its subject's, whose problems are called
    after their files. Rows of another subject are left out and counted in a line; one that names none counts. The
    answer is the argument of the solution's last `\boxed`, in plain text too. Problems with a diagram (`[asy]` in the
    problem) are left out, 771 of the 871 of the pre-algebra test set stay (the paper's own filter, which left 633, is
    not given); with `keep_diagrams` they stay, marked by `extra["diagram"]`. Raises `UserError` for a bad row, and
    where there is no problem of the subject.
    """
    folder = pathlib.Path(path)
    if folder.is_dir():
        place = _subject_folder(folder, subject, split)
        named = [(each.stem, rows.read_object(each, _parse)) for each in _numbered_files(place)]
    else:
        named = [(str(i), problem) for i, problem in enumerate(rows.read(path, _parse))]
    others = collections.Counter(
        other for _, each in named if (other := _subject(each)) not in (None, SUBJECTS[subject])
    )
    if others:
        found = ", ".join(f"{other} {num}" for other, num in sorted(others.items()))
        line = f"{os.fspath(path)}: {others.total()} of {len(named)} problems are of other subjects ({found})"
        if others.total() == len(named):
            raise UserError(f"{line}, expected some of {SUBJECTS[subject]}")
        print(f"{line} and left out", file=sys.stderr)
    return [
        dataclasses.replace(problem, uid=f"math-{subject.replace('_', '-')}-{name}")
        for name, problem in named
        if _subject(problem) in (None, SUBJECTS[subject]) and (keep_diagrams or not problem.extra["diagram"])
    ]


def _subject_folder(folder: pathlib.Path, subject: str, split: str) -> pathlib.Path:
    for place in (folder / split / subject, folder / subject, folder):
        if place.is_dir() and _numbered_files(place):
            return place
    raise UserError(
        f"{folder} has no {split}/{subject}/N.json; expected MATH's folder as published, with train and test, or one "
        "file of JSON lines"
    )


def _numbered_files(folder: pathlib.Path) -> list[pathlib.Path]:
    with files.explain_os_errors(folder, "read"):
        return sorted(
            (each for each in folder.glob("*.json") if each.stem.isdecimal()), key=lambda each: int(each.stem)
        )


def _subject(problem: Problem) -> str | None:
    named = (problem.extra.get(key) for key in _SUBJECT_KEYS)
    return next((str(name) for name in named if name is not None), None)


def _parse(row: rows.Row) -> Problem:
    problem = json_lines.take(row, "problem", json_lines.TEXT)
    solution = json_lines.take(row, "solution", json_lines.TEXT)
    trace = latex.plain_text(_DIAGRAM_BLOCK.sub("\n", solution)).strip()
    answer = answers.boxed(trace)
    if answer is None:
        raise json_lines.BadLine(r'"solution" has no \boxed{...}, expected one around the final answer')
    extra = {**rows.rest(row, "problem", "solution", "answer"), "diagram": _DIAGRAM in problem}
    return Problem(
        "", latex.plain_text(problem).strip(), answers.normalise_answer(" ".join(answer.split())), trace, extra
    )
