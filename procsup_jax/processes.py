"""Several processes that do one job together: which of them this is, how they wait for each other and share the work.

How they find each other, and end together, is in `joining`.
"""

from __future__ import annotations

import itertools
import json
import pathlib
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from procsup_jax import surroundings
from procsup_jax.errors import UserError

Item = TypeVar("Item")

# How long a process that is done waits for the others, who may have more to do; and for the first, where only that one
# has something to do.
WAIT_S, ALONE_S = 3600.0, 86_400.0
# How long what one process has written may take to be seen by another, on another machine.
SEEN_S = 90.0

_numbers = itertools.count()


class Lost(UserError):
    """Report that another process of the job is gone; the same command, in all of them, goes on."""

    exit_code = surroundings.LOST


def count() -> int:
    """Return how many processes do this job."""
    import jax

    return jax.process_count()


def index() -> int:
    """Return which of them this is; the one with number 0 writes what all have in common."""
    import jax

    return jax.process_index()


def is_first() -> bool:
    """Return whether this is process 0, or the only one."""
    return index() == 0


def share(items: Sequence[Item]) -> list[Item]:
    """Return this process's share of a job's items: every n-th, so that long and short ones mix."""
    return list(items[index() :: count()])


def wait(name: str, seconds: float = WAIT_S) -> None:
    """Return when every process has come here; all must call, in the same order.

    Raises `Lost`, with the name of the place, when one does not come in time or is gone.
    """
    if count() == 1:
        return
    import jax

    try:
        service().wait_at_barrier(f"procsup/wait/{next(_numbers)}/{name}", round(1000 * seconds))
    except jax.errors.JaxRuntimeError as error:
        raise _lost(name, seconds, "the others") from error


def told(name: str, decide: Callable[[], Item], seconds: float = ALONE_S) -> Item:
    """Return what process 0 decides, in all of them: something that JSON can hold; all must call, in the same order.

    The others wait for it. Raises `Lost`, with the name of the place, when it does not come in time.
    """
    if count() == 1:
        return decide()
    import jax

    key = f"procsup/told/{next(_numbers)}/{name}"
    if is_first():
        decided = decide()
        service().key_value_set(key, json.dumps(decided))
        return decided
    try:
        found: Item = json.loads(service().blocking_key_value_get(key, round(1000 * seconds)))
    except jax.errors.JaxRuntimeError as error:
        raise _lost(name, seconds, "process 0") from error
    return found


def check_shared(folder: pathlib.Path, name: str) -> None:
    """Raise UserError, calling it `name`, unless all processes see one folder, which has to be there for the first."""
    if count() == 1:
        return

    def mark() -> str:
        path = folder / f".shared-{uuid.uuid4().hex}"
        path.touch()
        return path.name

    mark_name = told(f"mark in {folder}", mark)
    remedy = "give a path on a file system that all processes share, such as a mounted bucket"
    until_seen((folder / mark_name).exists, f"{name} {folder}, as process 0 has it,", remedy)
    wait(f"mark in {folder}")
    if is_first():
        (folder / mark_name).unlink()


def until_seen(is_seen: Callable[[], bool], what: str, remedy: str) -> None:
    """Return when this process sees what another has written; raises UserError, with a remedy, where it does not."""
    until = time.monotonic() + SEEN_S
    while not is_seen():
        if time.monotonic() > until:
            raise UserError(f"{what} is not to be seen by process {index()}: {remedy}")
        time.sleep(0.2)


def _lost(name: str, seconds: float, whom: str) -> Lost:
    return Lost(
        f"process {index()} of {count()} waited up to {seconds:.0f} s for {whom} at {name!r}, and not all came; see "
        "what they said, then start the same command in all of them again: it goes on from there"
    )


def are_joined() -> bool:
    """Return whether this is one of several processes that have found each other; imports no jax."""
    return "jax" in sys.modules and service() is not None and count() > 1


def service() -> Any:
    """Return this process's end of JAX's distributed service: the public part of JAX has no way to it."""
    from jax._src import distributed

    return distributed.global_state.client
