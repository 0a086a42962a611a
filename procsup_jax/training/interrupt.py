"""Stopping between two steps when the user or the system asks for it."""

from __future__ import annotations

import itertools
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any, Self

import jax
from jax.experimental import multihost_utils

from procsup_jax import joining, signals


class Interrupts:
    """Catch Ctrl-C and SIGTERM from the first `requested` to a block's end, so that the step under way can be saved.

    Before that, while the first step is compiled, there is nothing to save and a signal acts at once, as without this
    class; so does a second one. One that the block never asked for acts at its end. Outside the command's own process
    they are caught by handlers, in the main thread alone, where Python allows them. Several processes have to stop at
    the same step, whichever of them was told: there JAX's preemption service is told, and names how many times they
    will have asked by then, in all fits of the process. Where it has named a time that this block does not reach, the
    process that was told ends at the block's end, and with it the others.
    """

    _asked = itertools.count(1)

    def __init__(self) -> None:
        self._several = jax.process_count() > 1
        self._catching = False
        self._received: int | None = None
        self._told: int | None = None
        self._old: dict[int, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if signals.listening():
            signals.act_again()
        self._restore()
        if error is None and self._told is not None:
            joining.end(signals.exit_code(self._told), f"procsup: {signals.STOPPED}")
        if error is None and self._received is not None:
            print(f"procsup: {signals.STOPPED}", file=sys.stderr)
            self.leave(signals.STOPPED)

    def requested(self) -> bool:
        """Return whether to stop now; to be asked after every step, by every process."""
        if not self._catching:
            self._begin()
        if self._several and multihost_utils.reached_preemption_sync_point(next(self._asked)):
            self._received = signal.SIGTERM
        return self._received is not None

    def leave(self, message: str) -> None:
        """Do what the signal asks for: KeyboardInterrupt with what was said to the user, or SystemExit of its code."""
        received, self._received = self._received, None
        if received == signal.SIGINT:
            raise KeyboardInterrupt(message)
        if received is not None:
            raise SystemExit(signals.exit_code(received))

    def _begin(self) -> None:
        self._catching = True
        if signals.listening():
            signals.defer(self._tell if self._several else self._catch)
        elif not self._several and threading.current_thread() is threading.main_thread():
            for number in signals.STOPPING:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._old[number] = signal.signal(number, self._handle)

    def _catch(self, number: int) -> None:
        self._received = number

    def _tell(self, number: int) -> None:
        self._told = number
        _tell_preemption_service()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._catch(number)
        self._restore()

    def _restore(self) -> None:
        while self._old:
            number, handler = self._old.popitem()
            signal.signal(number, handler)


def _tell_preemption_service() -> None:
    """Let the handler of SIGTERM run that JAX's preemption service has installed, here, where it is blocked."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    signal.raise_signal(signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
