"""Stopping between two steps when the user or the system asks for it."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

import jax
from jax.experimental import multihost_utils


class Interrupts:
    """Catch Ctrl-C and SIGTERM within a block, so that the step under way can be finished and saved.

    A second signal acts at once, as without this class. Outside the main thread, where Python allows no handlers,
    nothing is caught. Several processes have to stop at the same step: there JAX's preemption service catches SIGTERM
    and names the step, and Ctrl-C acts at once.
    """

    def __init__(self) -> None:
        self._several = jax.process_count() > 1
        self._received: int | None = None
        self._old: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if not self._several and threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._old[number] = signal.signal(number, self._catch)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def requested(self, step: int) -> bool:
        """Return whether to stop after `step`; to be asked after every step, by every process."""
        if self._several and multihost_utils.reached_preemption_sync_point(step):
            self._received = signal.SIGTERM
        return self._received is not None

    def leave(self) -> None:
        """Do what the signal asks for: KeyboardInterrupt, or for SIGTERM SystemExit with the usual code."""
        if self._received == signal.SIGINT:
            raise KeyboardInterrupt
        if self._received is not None:
            raise SystemExit(128 + self._received)

    def _catch(self, number: int, frame: FrameType | None) -> None:
        self._received = number
        self._restore()

    def _restore(self) -> None:
        while self._old:
            number, handler = self._old.popitem()
            signal.signal(number, handler)
