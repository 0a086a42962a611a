"""Problems from anyone's JSON lines, whatever their keys are called."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from procsup_jax import files, json_lines
from procsup_jax.data import rows
from procsup_jax.errors import UserError
from procsup_jax.text import answers
from procsup_jax.types import Problem


@dataclasses.dataclass(frozen=True)
class Keys:
    """Name the keys of a line: a dotted one, such as "reward_model.ground_truth", leads into objects.

    `solution` and `answer` may each be missing from a line: the answer then is the one that the solution gives, and
    without either it is an error. An answer that is a whole trace, as GSM8K's, is a solution. A missing `uid` is the
    file's name and the place in it.
    """

    uid: str = "uid"
    question: str = "question"
    answer: str = "answer"
    solution: str = "solution"


def load_jsonl(path: files.PathLike, keys: Keys | None = None) -> list[Problem]:
    """Return the problems of a file of JSON lines or of a JSON array; other keys are kept in `extra`.

    Raises `UserError` "file:line: what is wrong, what was expected" at the first bad line, and for a file without
    problems.
    """
    names, stem, place = keys or Keys(), pathlib.Path(path).stem, 0

    def parse(line: Mapping[str, Any]) -> Problem:
        nonlocal place
        place += 1
        return _problem(line, names, f"{stem}-{place - 1}")

    problems = rows.read(path, parse)
    met: dict[str, int] = {}
    for i, problem in enumerate(problems):
        if met.setdefault(problem.uid, i) != i:
            raise UserError(f"{path}: {names.uid} {problem.uid!r} stands in two lines, expected each once")
    return problems


def _problem(line: Mapping[str, Any], keys: Keys, uid: str) -> Problem:
    question, solution, answer = (_text(line, name) for name in (keys.question, keys.solution, keys.answer))
    if question is None:
        raise json_lines.BadLine(f'"{keys.question}" is missing, expected a string')
    if answer is not None and answers.has_answer_marker(answer):
        solution, answer = answer if solution is None else solution, answers.extract_answer(answer)
    elif not (answer or "").strip() and solution is not None:
        answer = answers.extract_answer(solution)
    if not answer:
        raise json_lines.BadLine(
            f'neither "{keys.answer}" nor "{keys.solution}" gives a final answer, expected one of them to; '
            "name their keys with --answer_key and --solution_key"
        )
    used = {name.partition(".")[0] for name in dataclasses.astuple(keys)}
    extra = {name: value for name, value in line.items() if name not in used}
    found = _text(line, keys.uid)
    return Problem(uid if found is None else found, question, answers.normalise_answer(answer), solution, extra)


def _at(line: Mapping[str, Any], name: str) -> Any:
    """Return what stands at a dotted name, None where nothing does; a key that has the whole name comes first."""
    value: Any = line
    for part in [name] if name in line else name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def _text(line: Mapping[str, Any], name: str) -> str | None:
    value = _at(line, name)
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return json_lines.take({name: value}, name, json_lines.TEXT)
