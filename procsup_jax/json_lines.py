"""Files of one JSON object a line: every bad line is one clear message "file:line: what is wrong"."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from procsup_jax import files, remote
from procsup_jax.errors import UserError

T = TypeVar("T")


class BadLine(Exception):
    """Say what is wrong with one line; `read` adds the file and the line number."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """State what a JSON value has to be, in words and as a check, and how a record holds it."""

    expected: str
    holds: Callable[[Any], bool]
    convert: Callable[[Any], Any] = lambda value: value


def is_number(value: Any) -> bool:
    """Say whether a JSON value is a finite number that a float can hold."""
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def is_list(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return the check that a JSON value is a list of such values."""
    return lambda value: isinstance(value, list) and all(map(holds, value))


TEXT = Kind("a string", lambda value: isinstance(value, str))
NAME = Kind("a string that is not empty", lambda value: isinstance(value, str) and value != "")
COUNT = Kind("a whole number from 0 that 64 bits hold", lambda value: type(value) is int and 0 <= value < 2**63)
NUMBER = Kind("a finite number", is_number)


def take(line: Mapping[str, Any], name: str, kind: Kind) -> Any:
    """Return `line[name]` as a record holds it; raise `BadLine` where it is missing or of another kind."""
    if name not in line:
        raise BadLine(f'"{name}" is missing, expected {kind.expected}')
    return _checked(line[name], f'"{name}"', kind)


def _checked(value: Any, name: str, kind: Kind) -> Any:
    if not kind.holds(value):
        raise BadLine(f"{name} is {shown(value)}, expected {kind.expected}")
    return kind.convert(value)


def shown(value: Any) -> str:
    """Return a JSON value for a message, cut where it is long."""
    try:
        text = json.dumps(value)
    except (RecursionError, ValueError):  # nested as deep as a file may be, or with more digits than are written
        return f"a {type(value).__name__} that is too deep or long to show"
    return text if len(text) <= 40 else text[:40] + "..."


def read(
    path: files.PathLike,
    parse: Callable[[Mapping[str, Any]], T],
    identity: tuple[str, ...] = (),
    *,
    skip_bad: bool = False,
    left_out: list[str] | None = None,
) -> list[T]:
    """Read a file of one JSON object a line by `parse`, which raises `BadLine` on an object it can't read.

    Empty lines are passed over. No two lines may share the values of all `identity` keys, a key that a line lacks
    being a value too. Raises `UserError`
    "file:line: what is wrong, what was expected" at the first bad line; with `skip_bad` bad lines are left out
    instead, their number is printed, and `left_out` receives their messages.
    """
    records, bad = [], []
    met: dict[tuple[Any, ...], int] = {}
    with files.explain_os_errors(path, "read"), remote.path_of(path).open("rb") as file:
        for number, raw in enumerate(file, 1):
            if not raw.strip():
                continue
            try:
                line = _parse_line(raw.rstrip(b"\r\n"), first=number == 1)
                record = parse(line)
                if identity:
                    _meet(met, {name: line.get(name) for name in identity}, number)
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


def first_has(path: files.PathLike, names: Iterable[str]) -> bool:
    """Say whether the first line of a file that is not empty is an object with all of these keys."""
    with remote.path_of(path).open("rb") as file:
        raw = next((line for line in file if line.strip()), b"")
    try:
        line = _parse_line(raw.rstrip(b"\r\n"), first=True)
    except BadLine:
        return False
    return all(name in line for name in names)


def write(path: files.PathLike, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object a line, UTF-8, whole or not at all. Numbers have to be finite."""
    with files.atomic_writer(path, "wb") as file:
        for line in lines:
            try:
                data = _ENCODER.encode(line).encode()
            except UnicodeEncodeError:  # half of a surrogate pair: JSON can spell it, UTF-8 can not
                data = _ASCII_ENCODER.encode(line).encode()
            file.write(data + b"\n")


def loads(content: bytes, *, finite: bool = True) -> Any:
    """Return the value of a JSON file, read as UTF-8; raise ValueError for whatever else it is.

    With `finite` that is also a number that no float holds, or that is none.
    """
    try:
        return (_DECODER if finite else _LENIENT_DECODER).decode(content.decode("utf-8-sig"))
    except BadLine as error:
        raise ValueError(f"it {error}") from error
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def _refuse_constant(name: str) -> None:
    raise BadLine(f"holds {name}, expected finite numbers")


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise BadLine(f"holds {digits[:40]}, expected numbers that a float can hold")
    return value


# Made once: json.loads and json.dumps with options make one a call.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
_LENIENT_DECODER = json.JSONDecoder()
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_ASCII_ENCODER = json.JSONEncoder(allow_nan=False)


def _parse_line(raw: bytes, first: bool) -> dict[str, Any]:
    try:
        line = _DECODER.decode(raw.decode("utf-8-sig" if first else "utf-8"))
    except UnicodeDecodeError as error:
        raise BadLine(f"byte {error.start + 1} is no UTF-8, expected a file saved as UTF-8") from error
    except json.JSONDecodeError as error:
        raise BadLine(f"is no JSON ({error.msg} at column {error.colno}), expected one object a line") from error
    except (ValueError, RecursionError) as error:
        raise BadLine(f"is JSON we do not read ({error}), expected one plain object a line") from error
    if not isinstance(line, dict):
        raise BadLine(f"is {shown(line)}, expected an object {{...}}")
    return line


def _meet(met: dict[tuple[Any, ...], int], identity: Mapping[str, Any], number: int) -> None:
    first = met.setdefault(tuple(identity.values()), number)
    if first != number:
        key = ", ".join(f"{name} {value!r}" for name, value in identity.items() if value is not None)
        raise BadLine(f"{key} stands in line {first} already, expected each once")
