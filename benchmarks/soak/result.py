"""What a part of the soak found, as one line."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from typing import Any


@dataclasses.dataclass(frozen=True)
class Result:
    """Say how often a part was tried, how often a promise was broken, and what else it counted.

    `skipped` says why a part could not be tried here, "" where it was.
    """

    part: str
    tried: int
    broken: int
    seconds: float
    counts: dict[str, Any] = dataclasses.field(default_factory=dict)
    skipped: str = ""

    @property
    def line(self) -> str:
        """Return one line of JSON; `at_most` bounds the rate of broken promises from above with 95 % confidence."""
        record: dict[str, Any] = {"part": self.part, "tried": self.tried, "broken": self.broken}
        if self.tried:
            record["at_most"] = float(f"{at_most(self.broken, self.tried):.2g}")
        record |= {"seconds": round(self.seconds, 1), **self.counts}
        return json.dumps(record | ({"skipped": self.skipped} if self.skipped else {}))


def at_most(broken: int, tried: int) -> float:
    """Return the upper end of the one-sided 95 % interval of a rate (Clopper and Pearson); 3/n for none of many."""
    from scipy import stats  # takes a second, and most who import this want a budget

    return 1.0 if broken >= tried else float(stats.beta.ppf(0.95, broken + 1, tried - broken))


class Budget:
    """Give out numbers, from 0 on, until `tries` were given, `seconds` have passed or it is stopped; the first always.

    Once `stop` is called every budget of the process is spent.
    """

    _stopped = False

    def __init__(self, tries: int, seconds: float | None = None) -> None:
        self.tries, self.started = tries, time.monotonic()
        self._end = None if seconds is None else self.started + seconds

    @staticmethod
    def stop() -> None:
        """Let what is under way end with what it has found by then."""
        Budget._stopped = True

    @staticmethod
    def is_stopped() -> bool:
        """Return whether `stop` was called."""
        return Budget._stopped

    @property
    def seconds(self) -> float:
        """Return how long ago it was made."""
        return time.monotonic() - self.started

    @property
    def spent(self) -> bool:
        """Return whether the time is up."""
        return Budget._stopped or self._end is not None and time.monotonic() >= self._end

    def __iter__(self) -> Iterator[int]:
        for number in range(self.tries):
            if number and self.spent:
                return
            yield number
