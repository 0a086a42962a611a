"""Which values a setting may have, stated beside it: `seed: Seed = 0`, in a dataclass that calls `check`."""

from __future__ import annotations

import dataclasses
import functools
import math
import numbers
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from procsup_jax.errors import UserError


class BadValue(UserError):
    """Report a field, which may be dotted, with a value that cannot work, and what was `expected` there."""

    def __init__(self, field: str, value: Any, expected: str, whose: str = "") -> None:
        super().__init__(f"{whose} {field}={value!r}: expected {expected}".strip())
        self.field, self.value, self.expected = field, value, expected


@dataclasses.dataclass(frozen=True)
class Range:
    """Allow finite numbers from `low` to `high`, ends that are `open` left out; `words` say it."""

    words: str
    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def holds(self, value: Any) -> bool:
        """Say whether a value is a number of the range."""
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            return False
        number: Any = value
        above = self.low < number if self.open_low else self.low <= number
        return bool(above and (number < self.high if self.open_high or math.isinf(self.high) else number <= self.high))


# JAX makes its keys of 32 bits: it would take larger seeds for smaller ones.
MAX_SEED = 2**32 - 1
# What an array's axis has at most.
_MOST = 2**31 - 1

Seed = Annotated[int, Range(f"a whole number from 0 to {MAX_SEED}", 0, MAX_SEED)]
Count = Annotated[int, Range("at least 1", 1, _MOST)]
Size = Annotated[int, Range("0 or more", 0, _MOST)]
Amount = Annotated[float, Range("a number from 0 on", 0)]
Positive = Annotated[float, Range("a positive number", 0, open_low=True)]
Share = Annotated[float, Range("a number from 0 to 1", 0, 1)]
ShareBelowOne = Annotated[float, Range("a number from 0 to below 1", 0, 1, open_high=True)]
ShareAboveZero = Annotated[float, Range("a number above 0, up to 1", 0, 1, open_low=True)]


def hints_of(cls: Any) -> Mapping[str, Any]:
    """Return the types of a dataclass's fields by name, with their ranges."""
    return _hints_of(cls)


@functools.cache
def _hints_of(cls: Any) -> Mapping[str, Any]:
    hints = typing.get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def check(settings: Any, whose: str = "") -> None:
    """Raise `BadValue` for the first number in a dataclass that is out of its range; `whose` starts the line."""
    for name, hint in hints_of(type(settings)).items():
        check_value(name, getattr(settings, name), hint, whose)


def check_value(name: str, value: Any, hint: Any, whose: str = "") -> None:
    """Raise `BadValue` for a value with a number out of the range that a type such as `Seed` gives it."""
    for field, found, wanted in _faults(hint, value, name):
        raise BadValue(field, found, wanted.words, whose)


def _faults(hint: Any, value: Any, name: str) -> Iterator[tuple[str, Any, Range]]:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        whole = args[0] is not int or isinstance(value, numbers.Integral)
        ranges = (each for each in args[1:] if isinstance(each, Range))
        yield from ((name, value, each) for each in ranges if not (whole and each.holds(value)))
    elif origin in (typing.Union, types.UnionType):
        if value is not None:
            yield from _faults(next(arg for arg in args if arg is not type(None)), value, name)
    elif origin is tuple and isinstance(value, (tuple, list)):
        hints = [args[0]] * len(value) if args[-1] is Ellipsis else args
        for i, (each, item) in enumerate(zip(hints, value, strict=False)):
            yield from _faults(each, item, f"{name}[{i}]")
