"""SIGINT and SIGTERM of the command: no interpreter callback can lose them, and each is obeyed once.

Both are blocked in every thread and taken by one that waits for nothing else. A handler in Python would run wherever
the main thread happens to be: its exception is lost in a callback of the garbage collector or of XLA, and it does not
run at all while the main thread compiles.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable

STOPPING = (signal.SIGINT, signal.SIGTERM)
STOPPED = "stopped; what is finished is kept, and the same command goes on from there"
# How long standard output may take what is still buffered, whoever should read it may be gone or waiting; and how long
# the other processes of a job may take to be told.
_FLUSH_S, _TELL_S = 0.5, 10.0

_listening = False
_lock = threading.Lock()
_catch: Callable[[int], None] | None = None
_tell: Callable[[int], None] | None = None


def exit_code(number: int) -> int:
    """Return what a process that a signal stopped exits with: 130 for SIGINT, 143 for SIGTERM."""
    return 128 + number


def block() -> None:
    """Keep both signals waiting in this thread, in those that it starts, and in what it becomes by exec."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ours())


def listen() -> None:
    """Let each signal end this process at once, with one line and its code; to be called before any thread starts.

    What is written is whole or absent, so that nothing has to be tidied up. A signal that was ignored when the process
    started, as under nohup or behind a shell's &, stays ignored.
    """
    global _listening
    block()
    _listening = True
    threading.Thread(target=_wait, args=(_ours(),), name="signals", daemon=True).start()


def listening() -> bool:
    """Return whether signals end this process by `listen`."""
    return _listening


def defer(catch: Callable[[int], None]) -> None:
    """Hand the next signal to `catch`, which must return at once; the one after it ends the process all the same."""
    global _catch
    with _lock:
        _catch = catch


def tell_first(tell: Callable[[int], None]) -> None:
    """Have `tell` called with the signal that ends this process, before it does; waited for some seconds at most."""
    global _tell
    _tell = tell


def act_again() -> None:
    """Let signals end the process again; when this returns, a deferred one has been caught or will not be."""
    global _catch
    with _lock:
        _catch = None


def _ours() -> set[signal.Signals]:
    return {each for each in STOPPING if signal.getsignal(each) is not signal.SIG_IGN}


def _wait(numbers: set[signal.Signals]) -> None:
    global _catch
    while numbers:
        number = signal.sigwait(numbers)
        with _lock:
            catch, _catch = _catch, None
            if catch is not None:
                catch(number)
                continue
        _leave(number)


def _leave(number: int) -> None:
    """End the process: nothing here may wait for the main thread, which can hold any lock."""
    try:
        _within(_FLUSH_S, _flush)
        start = "\n" if os.isatty(2) else ""  # a progress bar or ^C may stand on the line
        os.write(2, f"{start}procsup: {STOPPED}\n".encode())
        if _tell is not None:
            _within(_TELL_S, _tell, number)
    finally:
        os._exit(exit_code(number))


def _within(seconds: float, fn: Callable[..., None], *args: int) -> None:
    thread = threading.Thread(target=fn, args=args, daemon=True)
    thread.start()
    thread.join(seconds)


def _flush() -> None:
    with contextlib.suppress(OSError, ValueError):
        if sys.stdout is not None:
            sys.stdout.flush()
