"""A process of several is watched by a small one: JAX's distributed service ends it by abort() when another is lost.

What abort leaves is a stack trace of C++ and a signal's code. The watching process, the one that was started, says in a
line what it means and exits with a code that schedulers can tell from a mistake. It hands on SIGINT and SIGTERM.
"""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
from collections.abc import Mapping

from procsup_jax import signals, surroundings

_PR_SET_PDEATHSIG = 1
_LINE = (
    "procsup: this process was ended by {signal}, most likely because another process of the job is gone (what stands "
    "above tells); start the same command in all of them again, and it goes on from what is finished\n"
)


def watch(environment: Mapping[str, str]) -> int:
    """Run this very command in a process of its own, with this environment, and return the code to exit with."""
    # In a process group of its own, so that Ctrl-C comes once: from here.
    child = subprocess.Popen(
        [sys.executable, *sys.orig_argv[1:]], env=environment, process_group=0, preexec_fn=_end_with_parent
    )
    for number in signals.STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, _: child.send_signal(number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals.STOPPING)
    code = child.wait()
    if code in (-signal.SIGABRT, -signal.SIGSEGV):
        sys.stderr.write(_LINE.format(signal=signal.Signals(-code).name))
        return surroundings.LOST
    return code if code >= 0 else 128 - code


def _end_with_parent() -> None:
    """Let the kernel end this process with the one that started it (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
