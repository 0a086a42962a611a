"""Records as JSON lines: the only reader and writer of the formats in docs/design.md, "File formats"."""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

from procsup_jax import files
from procsup_jax.errors import UserError
from procsup_jax.types import CalculatorFault, Graded, Problem, Sample, Score, StepLabels

PathLike = files.PathLike
T = TypeVar("T")


class BadLine(Exception):
    """Say what is wrong with one line; `read_json_lines` adds the file and the line number."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """State what a JSON value has to be, in words and as a check, and how a record holds it."""

    expected: str
    holds: Callable[[Any], bool]
    convert: Callable[[Any], Any] = lambda value: value


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_list(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(holds, value))


TEXT = Kind("a string", lambda value: isinstance(value, str))
NAME = Kind("a string that is not empty", lambda value: isinstance(value, str) and value != "")
COUNT = Kind("a whole number from 0", lambda value: type(value) is int and value >= 0)
NUMBER = Kind("a finite number", _is_number)
_FIRST_ERROR = Kind("a step's index, or -1 for none", lambda value: type(value) is int and value >= -1)
_BOOL = Kind("true or false", lambda value: isinstance(value, bool))
_TEXTS = Kind("a list of strings", _is_list(TEXT.holds), tuple)
_BOOLS = Kind("a list of true and false", _is_list(_BOOL.holds), tuple)
_PROBS = Kind(
    "a list of probabilities from 0 to 1",
    _is_list(lambda value: _is_number(value) and 0 <= value <= 1),
    lambda value: tuple(map(float, value)),
)
_OBJECTS = Kind("a list of objects", _is_list(lambda value: isinstance(value, dict)))


def take(line: Mapping[str, Any], name: str, kind: Kind) -> Any:
    """Return `line[name]` as a record holds it; raise `BadLine` where it is missing or of another kind."""
    if name not in line:
        raise BadLine(f'"{name}" is missing, expected {kind.expected}')
    return _checked(line[name], f'"{name}"', kind)


def _checked(value: Any, name: str, kind: Kind) -> Any:
    if not kind.holds(value):
        raise BadLine(f"{name} is {_shown(value)}, expected {kind.expected}")
    return kind.convert(value)


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:40] + "..."


@dataclasses.dataclass(frozen=True)
class _Format(Generic[T]):
    """Tie a record class to the keys of its lines; `identity` are the keys that no two lines may share."""

    cls: Callable[..., T]
    required: Mapping[str, Kind]
    optional: Mapping[str, Kind]
    identity: tuple[str, ...]
    written_if_none: tuple[str, ...] = ()

    def parse(self, line: Mapping[str, Any]) -> T:
        fields = {name: take(line, name, kind) for name, kind in self.required.items()}
        for name, kind in self.optional.items():
            if line.get(name) is not None:
                fields[name] = take(line, name, kind)
        extra = {k: v for k, v in line.items() if k not in self.required and k not in self.optional}
        return self.cls(**fields, extra=extra)

    def dump(self, record: Any) -> dict[str, Any]:
        line = {name: getattr(record, name) for name in (*self.required, *self.optional)}
        kept = {k: v for k, v in line.items() if (v is not None and v != ()) or k in self.required}
        return {**kept, **{k: None for k in self.written_if_none if line[k] is None}, **record.extra}


_PROBLEM = _Format(Problem, {"uid": NAME, "question": TEXT, "answer": TEXT}, {"solution": TEXT}, ("uid",))
_SAMPLE = _Format(
    Sample,
    {"problem_uid": NAME, "sample": COUNT, "solution": TEXT},
    {"answer": TEXT, "logprob": NUMBER, "tokens": COUNT, "policy": TEXT},
    ("problem_uid", "sample"),
    written_if_none=("answer",),
)
_SCORE = _Format(
    Score,
    {"problem_uid": NAME, "sample": COUNT, "step_probs": _PROBS, "score": NUMBER, "aggregate": NAME},
    {"rm": TEXT},
    ("problem_uid", "sample"),
)
_LABELS = _Format(
    StepLabels,
    {
        "problem_uid": NAME,
        "sample": COUNT,
        "first_error": _FIRST_ERROR,
        "num_steps": COUNT,
        "rater": NAME,
        "source": NAME,
    },
    {"flags": _TEXTS, "steps": _BOOLS},
    ("problem_uid", "sample", "rater"),
)
_GRADED_KEYS = ("steps", "correct", "calculator_faults")


def read_problems(path: PathLike, *, skip_bad: bool = False, left_out: list[str] | None = None) -> list[Problem]:
    """Read problems.jsonl.

    Raises `UserError` "file:line: what is wrong, what was expected" at the first bad line, a uid met before included.
    With `skip_bad` bad lines are left out instead, their number is printed, and `left_out` receives their messages.
    """
    return read_json_lines(path, _PROBLEM.parse, _PROBLEM.identity, skip_bad=skip_bad, left_out=left_out)


def read_samples(path: PathLike, *, skip_bad: bool = False, left_out: list[str] | None = None) -> list[Sample]:
    """Read samples.jsonl; errors as in `read_problems`."""
    return read_json_lines(path, _SAMPLE.parse, _SAMPLE.identity, skip_bad=skip_bad, left_out=left_out)


def read_scores(path: PathLike, *, skip_bad: bool = False, left_out: list[str] | None = None) -> list[Score]:
    """Read scores.jsonl; errors as in `read_problems`."""
    return read_json_lines(path, _SCORE.parse, _SCORE.identity, skip_bad=skip_bad, left_out=left_out)


def read_labels(path: PathLike, *, skip_bad: bool = False, left_out: list[str] | None = None) -> list[StepLabels]:
    """Read labels.jsonl, of one rater or several; errors as in `read_problems`."""
    return read_json_lines(path, _parse_labels, _LABELS.identity, skip_bad=skip_bad, left_out=left_out)


def read_graded(path: PathLike, *, skip_bad: bool = False, left_out: list[str] | None = None) -> list[Graded]:
    """Read graded.jsonl; errors as in `read_problems`."""
    return read_json_lines(path, _parse_graded, _SAMPLE.identity, skip_bad=skip_bad, left_out=left_out)


def write_problems(path: PathLike, records: Iterable[Problem]) -> None:
    """Write problems.jsonl, whole or not at all; keys kept in `extra` come last."""
    write_json_lines(path, map(_PROBLEM.dump, records))


def write_samples(path: PathLike, records: Iterable[Sample]) -> None:
    """Write samples.jsonl, whole or not at all."""
    write_json_lines(path, map(_SAMPLE.dump, records))


def write_scores(path: PathLike, records: Iterable[Score]) -> None:
    """Write scores.jsonl, whole or not at all."""
    write_json_lines(path, map(_SCORE.dump, records))


def write_labels(path: PathLike, records: Iterable[StepLabels]) -> None:
    """Write labels.jsonl, whole or not at all."""
    write_json_lines(path, map(_LABELS.dump, records))


def write_graded(path: PathLike, records: Iterable[Graded]) -> None:
    """Write graded.jsonl, whole or not at all."""
    write_json_lines(path, map(_dump_graded, records))


def read_json_lines(
    path: PathLike,
    parse: Callable[[Mapping[str, Any]], T],
    identity: tuple[str, ...] = (),
    *,
    skip_bad: bool = False,
    left_out: list[str] | None = None,
) -> list[T]:
    """Read a file of one JSON object a line by `parse`, which raises `BadLine` on an object it can't read.

    Empty lines are passed over. No two lines may share the values of all `identity` keys. Errors and `skip_bad` as
    in `read_problems`.
    """
    records, bad = [], []
    met: dict[tuple[Any, ...], int] = {}
    with files.explain_os_errors(path, "read"), pathlib.Path(path).open("rb") as file:
        for number, raw in enumerate(file, 1):
            if not raw.strip():
                continue
            try:
                line = _parse_line(raw.rstrip(b"\r\n"), first=number == 1)
                record = parse(line)
                if identity:
                    _meet(met, {name: line[name] for name in identity}, number)
                records.append(record)
            except BadLine as error:
                bad.append(f"{path}:{number}: {error}")
                if not skip_bad:
                    raise UserError(bad[0]) from error
    if bad:
        print(f"{path}: left out {len(bad)} bad lines, the first: {bad[0]}", file=sys.stderr)
        if left_out is not None:
            left_out.extend(bad)
    return records


def write_json_lines(path: PathLike, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object a line, UTF-8, whole or not at all. Numbers have to be finite."""
    with files.atomic_writer(path, "wb") as file:
        for line in lines:
            try:
                data = json.dumps(line, ensure_ascii=False, allow_nan=False).encode()
            except UnicodeEncodeError:  # half of a surrogate pair: JSON can spell it, UTF-8 can not
                data = json.dumps(line, allow_nan=False).encode()
            file.write(data + b"\n")


def _parse_line(raw: bytes, first: bool) -> dict[str, Any]:
    try:
        line = json.loads(raw.decode("utf-8-sig" if first else "utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise BadLine(f"byte {error.start + 1} is no UTF-8, expected a file saved as UTF-8") from error
    except json.JSONDecodeError as error:
        raise BadLine(f"is no JSON ({error.msg} at column {error.colno}), expected one object a line") from error
    except (ValueError, RecursionError) as error:
        raise BadLine(f"is JSON we do not read ({error}), expected one plain object a line") from error
    if not isinstance(line, dict):
        raise BadLine(f"is {_shown(line)}, expected an object {{...}}")
    return line


def _refuse_constant(name: str) -> None:
    raise BadLine(f"holds {name}, expected finite numbers")


def _meet(met: dict[tuple[Any, ...], int], identity: Mapping[str, Any], number: int) -> None:
    first = met.setdefault(tuple(identity.values()), number)
    if first != number:
        shown = ", ".join(f"{name} {value!r}" for name, value in identity.items())
        raise BadLine(f"{shown} stands in line {first} already, expected each once")


def _parse_labels(line: Mapping[str, Any]) -> StepLabels:
    labels = _LABELS.parse(line)
    if labels.first_error >= labels.num_steps:
        raise BadLine(f'"first_error" is {labels.first_error}, expected less than "num_steps", {labels.num_steps}')
    if labels.steps is not None and len(labels.steps) != labels.num_steps:
        raise BadLine(f'"steps" holds {len(labels.steps)} labels, expected "num_steps", {labels.num_steps}')
    return labels


def _parse_graded(line: Mapping[str, Any]) -> Graded:
    sample = _SAMPLE.parse({name: value for name, value in line.items() if name not in _GRADED_KEYS})
    faults = tuple(map(_parse_fault, take(line, "calculator_faults", _OBJECTS)))
    return Graded(sample, take(line, "steps", _TEXTS), take(line, "correct", _BOOL), faults)


def _parse_fault(line: Mapping[str, Any]) -> CalculatorFault:
    value = take(line, "value", TEXT) if line.get("value") is not None else None
    return CalculatorFault(
        take(line, "step", COUNT), take(line, "expression", TEXT), take(line, "written", TEXT), value
    )


def _dump_graded(graded: Graded) -> dict[str, Any]:
    faults = [dataclasses.asdict(fault) for fault in graded.calculator_faults]
    verdict = {"steps": graded.steps, "correct": graded.correct, "calculator_faults": faults}
    return {**_SAMPLE.dump(dataclasses.replace(graded.sample, extra={})), **verdict, **graded.sample.extra}
