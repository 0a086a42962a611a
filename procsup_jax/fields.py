"""A dataclass from a mapping that anyone may have written: every key and value is checked, and named where it fails."""

from __future__ import annotations

import collections.abc
import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from procsup_jax.errors import UserError
from procsup_jax.ranges import BadValue, check_value, hints_of

T = TypeVar("T")
_KINDS = {int: "a whole number", float: "a finite number", str: "text", bool: "true or false"}


def build(cls: type[T], values: Mapping[str, Any], path: str) -> T:
    """Return the dataclass `cls` that a nested mapping describes; fields it lacks keep their defaults.

    Raises `UserError` for an unknown key (with the nearest valid one), for one that is missing, and where fields do not
    go together; `BadValue`, its field dotted from `path` on, for a value of another type or out of its range.
    """
    hints = hints_of(cls)
    found = {}
    for key in values:
        if key not in hints:
            raise unknown_key(f"{path}.{key}", [f"{path}.{name}" for name in hints])
        found[key] = _convert(hints[key], values[key], f"{path}.{key}")
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        has_default = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        if field.name not in found and not has_default:
            raise UserError(f"{path}.{field.name} is missing")
    try:
        return cls(**found)
    except BadValue as error:
        raise BadValue(f"{path}.{error.field}", error.value, error.expected) from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def unknown_key(key: str, known: Sequence[str]) -> UserError:
    """Return the error for a key that does not exist, naming the nearest one that does."""
    parent, _, leaf = key.rpartition(".")
    siblings = [name.rsplit(".", 1)[-1] for name in known if name.rpartition(".")[0] == parent]
    near = [f"{parent}.{name}" for name in difflib.get_close_matches(leaf, siblings, n=1, cutoff=0.5)]
    elsewhere = [name for name in known if name.rpartition(".")[0] != parent]
    near = near or difflib.get_close_matches(key, elsewhere, n=1, cutoff=0.8)
    hint = f"did you mean {near[0]}?" if near else f"known there: {', '.join(siblings) or 'nothing'}"
    return UserError(f"unknown setting {key}; {hint}")


def _convert(hint: Any, value: Any, path: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        value = _convert(args[0], value, path)
        check_value(path, value, hint)
        return value
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in args:
            return None
        return _convert_first([arg for arg in args if arg is not type(None)], value, path)
    if origin is Literal:
        if not any(type(value) is type(arg) and value == arg for arg in args):
            raise BadValue(path, value, "one of " + ", ".join(map(str, args)))
        return value
    if dataclasses.is_dataclass(hint):
        if isinstance(value, typing.cast(type, hint)):
            return value
        if not isinstance(value, Mapping):
            raise BadValue(path, value, "a group of settings")
        return build(typing.cast(type, hint), value, path)
    if origin in (tuple, collections.abc.Sequence):
        return _convert_items(origin, args, value, path)
    return _convert_plain(hint, value, path)


def _convert_first(hints: Sequence[Any], value: Any, path: str) -> Any:
    """Convert to the first type that takes the value; the error where none does is the first one's."""
    errors: list[UserError] = []
    for hint in hints:
        try:
            return _convert(hint, value, path)
        except UserError as error:
            errors.append(error)
    raise errors[0]


def _convert_items(origin: Any, args: tuple[Any, ...], value: Any, path: str) -> tuple[Any, ...]:
    if not isinstance(value, (tuple, list)):
        raise BadValue(path, value, 'a tuple such as "(1, 2)"')
    hints = [args[0]] * len(value) if args[-1] is Ellipsis or origin is not tuple else list(args)
    if len(hints) != len(value):
        raise BadValue(path, value, f"a tuple of {len(hints)}")
    return tuple(_convert(each, item, f"{path}[{i}]") for i, (each, item) in enumerate(zip(hints, value, strict=True)))


def _convert_plain(kind: Any, value: Any, path: str) -> Any:
    if kind is float and type(value) is int and abs(value) < 2**1023:
        return float(value)
    if kind in _KINDS and (type(value) is not kind or (kind is float and not math.isfinite(value))):
        raise BadValue(path, value, _KINDS[kind])
    return value
