"""The process of the `procsup` command: its signals, its start with huge pages, and the code that it ends with.

The first module that the command loads: it imports nothing that takes time, so that a signal is heard from the start.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from procsup_jax import signals, surroundings

# glibc (2.35 and later) reads it when a process starts; a training step of a 1M model takes 1.4 times as long without.
HUGE_PAGES = ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")
# Set in a process that `supervisor.watch` started.
WATCHED = "PROCSUP_WATCHED"


def console() -> NoReturn:
    """Run the command line of this process and exit with its code (`main.EXIT_CODES`)."""
    signals.block()
    _use_huge_pages()
    if surroundings.are_several(sys.argv[1:], os.environ) and WATCHED not in os.environ:
        from procsup_jax.supervisor import watch

        sys.exit(watch({**os.environ, WATCHED: "1"}))
    signals.listen()
    from procsup_jax.main import main  # after the signals are heard

    try:
        sys.exit(main(sys.argv[1:]))
    finally:
        _drop_output()


def _use_huge_pages() -> None:
    """Start this process anew where page faults would dominate its small models' steps; a user's own setting stands."""
    name, value = HUGE_PAGES
    if sys.platform == "linux" and name not in os.environ and sys.argv[1:2] != ["grade"]:
        os.environ[name] = value
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _drop_output() -> None:
    """Let go of output that nobody takes, which the interpreter would try to write once more, with a traceback."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
