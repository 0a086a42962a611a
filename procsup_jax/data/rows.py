"""Rows of published data sets: JSON lines, a JSON array or one JSON object, by what the file begins with."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from procsup_jax import files, json_lines, remote
from procsup_jax.errors import UserError

T = TypeVar("T")
Row = Mapping[str, Any]


def read(path: files.PathLike, parse: Callable[[Row], T], identity: str | None = None) -> list[T]:
    """Return the rows of a file by `parse`, which raises `BadLine` on one it can't read.

    No two rows may share the value of the key `identity`. Raises `UserError` "file:line" or "file: row 3 of the array"
    with what is wrong and what was expected, and for a file without rows.
    """
    if first_byte(path) == b"[":
        found = [_parsed(path, parse, row, i) for i, row in enumerate(_array(path, identity))]
    else:
        found = json_lines.read(path, parse, () if identity is None else (identity,))
    if not found:
        raise UserError(f"{os.fspath(path)} is empty: expected the data set's file, with at least one problem")
    return found


def read_object(path: files.PathLike, parse: Callable[[Row], T]) -> T:
    """Return the one JSON object that a file holds, by `parse`; errors as in `read`."""
    value = _json(path)
    try:
        return parse(_object(value))
    except json_lines.BadLine as error:
        raise UserError(f"{os.fspath(path)}: {error}") from error


def first_byte(path: files.PathLike) -> bytes:
    """Return the first byte of a file that is no blank, a byte order mark aside; b"" of an empty file."""
    with files.explain_os_errors(path, "read"), remote.path_of(path).open("rb") as file:
        head = file.read(3).removeprefix(b"\xef\xbb\xbf").lstrip()
        while not head and (read := file.read(1 << 12)):
            head = read.lstrip()
    return head[:1]


def one_of(row: Row, names: Sequence[str], kind: json_lines.Kind) -> Any:
    """Return the value of the first of these keys that a row has; raise `BadLine` where it has none."""
    for name in names:
        if row.get(name) is not None:
            return json_lines.take(row, name, kind)
    return json_lines.take(row, names[0], kind)


def rest(row: Row, *read: str) -> dict[str, Any]:
    """Return a row without the keys that are read."""
    return {name: value for name, value in row.items() if name not in read}


def _array(path: files.PathLike, identity: str | None) -> list[Any]:
    rows = _json(path)
    met: dict[Any, int] = {}
    for i, row in enumerate(rows if identity is not None else ()):
        name = row.get(identity) if isinstance(row, dict) else None
        if isinstance(name, str) and met.setdefault(name, i) != i:
            raise UserError(f"{_place(path, i)}: {identity} {name!r} stands in row {met[name]} already, expected once")
    return list(rows)


def _json(path: files.PathLike) -> Any:
    with files.explain_os_errors(path, "read"):
        data = remote.path_of(path).read_bytes()
    try:
        return json_lines.loads(data)
    except ValueError as error:
        raise UserError(f"{os.fspath(path)} is no JSON ({error}); expected the data set's file as published") from error


def _parsed(path: files.PathLike, parse: Callable[[Row], T], row: Any, i: int) -> T:
    try:
        return parse(_object(row))
    except json_lines.BadLine as error:
        raise UserError(f"{_place(path, i)}: {error}") from error


def _object(value: Any) -> Row:
    if not isinstance(value, dict):
        raise json_lines.BadLine(f"is {json_lines.shown(value)}, expected an object {{...}}")
    return value


def _place(path: files.PathLike, i: int) -> str:
    return f"{os.fspath(path)}: row {i} of the array"
