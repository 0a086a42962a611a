"""Progress of long work: a bar on a terminal, plain lines a few seconds apart elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self, TextIO

from tqdm import tqdm


class Progress:
    """Show how far a job of `total` units is; use as a context manager.

    On a terminal this is a tqdm bar. Elsewhere a line is printed at most every `interval_s` seconds and one at the
    end, so that logs stay short. Of several processes of a job one shows it (`is_shown`).
    """

    is_shown = True

    def __init__(
        self, name: str, total: int, unit: str = "it", *, interval_s: float = 10.0, stream: TextIO | None = None
    ) -> None:
        self._name, self._total, self._unit, self._interval_s = name, total, unit, interval_s
        self._stream = stream or sys.stderr
        self._done, self._note, self._start = 0, "", time.monotonic()
        self._printed_at = self._start
        self._bar = (
            tqdm(total=total, desc=name, unit=unit, file=self._stream, leave=True, dynamic_ncols=True)
            if self._stream.isatty() and self.is_shown
            else None
        )

    def __enter__(self) -> Self:
        return self

    def update(self, units: int = 1, note: str = "") -> None:
        """Advance by `units`; `note` (a loss, a rate) stands at the end of the line."""
        self._done += units
        self._note = note or self._note
        if self._bar is not None:
            if note:
                self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(units)
        elif time.monotonic() - self._printed_at >= self._interval_s:
            self._print_line()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        else:
            self._print_line()

    def _print_line(self) -> None:
        if not self.is_shown:
            return
        self._printed_at = time.monotonic()
        spent_s = self._printed_at - self._start
        rate = self._done / spent_s if spent_s > 0 else 0.0
        note = f"  {self._note}" if self._note else ""
        print(
            f"{self._name}: {self._done}/{self._total} {self._unit}  {spent_s:.0f}s  {rate:.1f} {self._unit}/s{note}",
            file=self._stream,
            flush=True,
        )
