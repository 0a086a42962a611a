"""When two scores, or sums of scores, are equal up to rounding: such ties are ties."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")

# Scores are not negative, so a sum of them is no further off, relatively, than its terms, and those by some units of
# 2**-53 for each step of their solution. Weights of unlike decimals differ by more: a millionth of at most 10**5 votes.
RELATIVE = 1e-12


def tied(a: float, b: float) -> bool:
    """Say whether two values are equal up to rounding."""
    return math.isclose(a, b, rel_tol=RELATIVE)


def highest(items: Iterable[T], value: Callable[[T], float]) -> list[T]:
    """Return the items whose value ties with the highest, in their order."""
    valued = [(item, value(item)) for item in items]
    top = max(found for _, found in valued)
    return [item for item, found in valued if tied(found, top)]


def levels(values: Sequence[float]) -> list[list[int]]:
    """Return the indices of values from low to high, those that tie with the lowest of their level together."""
    found: list[list[int]] = []
    for i in sorted(range(len(values)), key=values.__getitem__):
        if found and tied(values[i], values[found[-1][0]]):
            found[-1].append(i)
        else:
            found.append([i])
    return found
