"""Other sets of word problems, for tests out of distribution; and one door to every set that lies in files."""

from __future__ import annotations

import dataclasses
import decimal
import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from procsup_jax import files, json_lines
from procsup_jax.data import asdiv_xml, gsm8k, rows
from procsup_jax.data.jsonl import load_jsonl
from procsup_jax.data.math_problems import SUBJECTS, load_math
from procsup_jax.errors import UserError
from procsup_jax.text import answers
from procsup_jax.types import Problem

_UNIT = re.compile(r"\s+\([^()]*\)\s*$")
_NEGATIVE_FRACTION = re.compile(r"^-\(([0-9]+/[0-9]+)\)$")
_DECIMAL = re.compile(r"\s*[+-]?[0-9][0-9,]*(?:\.[0-9]*)?\s*")
_NUMBER = json_lines.Kind(
    "a number",
    lambda value: json_lines.is_number(value) or (isinstance(value, str) and bool(_DECIMAL.fullmatch(value))),
)
_ONE_NUMBER = json_lines.Kind(
    "a list of one number",
    lambda value: json_lines.is_list(json_lines.is_number)(value) and len(value) == 1,
    lambda value: value[0],
)


def load(dataset: str, path: files.PathLike | None = None, split: str = "test") -> list[Problem]:
    """Return the problems of a set by name: `gsm8k`, one of `word_problems.NAMES`, or `jsonl`, as it was published.

    `path` is the set's file (for `gsm8k` a folder too, or None to use TFDS; for `math_...` MATH's folder too; for
    `jsonl` our own problems.jsonl). Only GSM8K and MATH's folder have splits. Raises `UserError` for an unknown set, a
    missing path, a bad line, or a file without problems.
    """
    if dataset == "gsm8k":
        return gsm8k.load_gsm8k(split, path)
    subject = dataset.removeprefix("math_")
    is_math = subject != dataset and subject in SUBJECTS
    if not is_math and dataset not in _LOADERS:
        raise UserError(f"there is no data set {dataset!r}; expected one of {', '.join(('gsm8k', *NAMES, 'jsonl'))}")
    if path is None:
        raise UserError(f"the data set {dataset!r} needs a path: the file that holds its problems")
    return load_math(path, subject, split) if is_math else _LOADERS[dataset](path)


def load_svamp(path: files.PathLike) -> list[Problem]:
    """Return SVAMP (Patel et al. 2021); uids such as "svamp-chal-777".

    Rows of `Body`, `Question`, `Answer`, `ID` in its JSON array or lines; one without `Body` gives its whole question
    as `question_concat`, as on the hub.
    """

    def parse(row: rows.Row) -> Problem:
        name = json_lines.take(row, "ID", json_lines.TEXT)
        if "Body" not in row and "question_concat" in row:
            question = json_lines.take(row, "question_concat", json_lines.TEXT).strip()
        else:
            question = _joined(*(json_lines.take(row, key, json_lines.TEXT) for key in ("Body", "Question")))
        extra = rows.rest(row, "Body", "Question", "ID", "Answer", "question_concat")
        return Problem(f"svamp-{name}", question, _number(row, ("Answer",)), extra=extra)

    return rows.read(path, parse, "ID")


def load_asdiv(path: files.PathLike) -> list[Problem]:
    """Return ASDiv (Miao et al. 2020): its XML, or `body`, `question`, `answer` a row.

    uids are "asdiv-nluds-0001" after the XML's own, else such as "asdiv-12" by place. The unit in `9 (apples)` is
    dropped; answers that are no numbers (names, times, ratios) are kept as strings.
    """

    def parse(row: rows.Row) -> Problem:
        body, question, answer = (json_lines.take(row, key, json_lines.TEXT) for key in ("body", "question", "answer"))
        bare = _NEGATIVE_FRACTION.sub(r"-\1", _UNIT.sub("", answer).strip())
        extra = rows.rest(row, "body", "question", "answer")
        return Problem("", _joined(body, question), answers.normalise_answer(bare), extra=extra)

    if rows.first_byte(path) != b"<":
        return _numbered(rows.read(path, parse), "asdiv")
    problems = []
    for i, row in enumerate(asdiv_xml.read_rows(path)):
        try:
            problem = parse(row)
        except json_lines.BadLine as error:
            raise UserError(f"{path}: Problem {row.get('id', i)}: {error}") from error
        extra = {name: value for name, value in problem.extra.items() if name != "id"}
        problems.append(dataclasses.replace(problem, uid=f"asdiv-{row.get('id', i)}", extra=extra))
    return problems


def load_solved(path: files.PathLike, name: str) -> list[Problem]:
    """Return MultiArith (Roy and Roth 2015), AddSub or SingleEq; uids such as "multiarith-12" by place.

    Their published JSON arrays have `sQuestion` and `lSolutions`; `input` and `target`, and the hub's `question` and
    `final_ans` or `answer`, are read too.
    """

    def parse(row: rows.Row) -> Problem:
        question = rows.one_of(row, ("input", "sQuestion", "question"), json_lines.TEXT).strip()
        if "lSolutions" in row:
            answer = _plain(json_lines.take(row, "lSolutions", _ONE_NUMBER))
        else:
            answer = _number(row, ("target", "final_ans", "answer"))
        read = ("input", "sQuestion", "question", "lSolutions", "target", "final_ans", "answer")
        return Problem("", question, answer, extra=rows.rest(row, *read))

    return _numbered(rows.read(path, parse), name)


_SOLVED = ("multiarith", "addsub", "singleeq")
_LOADERS: Mapping[str, Callable[[files.PathLike], list[Problem]]] = {
    "svamp": load_svamp,
    "asdiv": load_asdiv,
    **{name: functools.partial(load_solved, name=name) for name in _SOLVED},
    "jsonl": load_jsonl,
}
NAMES = ("svamp", "asdiv", *_SOLVED, *(f"math_{subject}" for subject in SUBJECTS))


def _joined(body: str, question: str) -> str:
    return f"{body.strip()} {question.strip()}".strip()


def _number(row: rows.Row, names: Sequence[str]) -> str:
    return _plain(rows.one_of(row, names, _NUMBER))


def _plain(value: Any) -> str:
    return answers.normalise_answer(f"{decimal.Decimal(str(value).replace(',', '').strip()):f}")


def _numbered(problems: Iterable[Problem], prefix: str) -> list[Problem]:
    """Return problems with uids by their place in the file."""
    return [dataclasses.replace(problem, uid=f"{prefix}-{i}") for i, problem in enumerate(problems)]
