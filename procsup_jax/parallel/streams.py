"""Several programs at a time on a CPU, where each alone uses little more than a core.

XLA:CPU gains little from further threads inside programs of this project's sizes: 24 lanes of 8 slots of the shipped
base took 20 ms a step with one thread and with two, where two streams of 12 lanes together wrote twice as fast. What
one host thread calls runs one after another, so a stream is a host thread.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import jax
from jax.sharding import Mesh

Item = TypeVar("Item")
Result = TypeVar("Result")

# Held while a stream calls programs, not while they run: of two streams that need a program, one compiles it.
calling = threading.Lock()


def called(fn: Callable[..., Result], *args: Any) -> Result:
    """Return fn(*args), called while no other stream calls a program."""
    with calling:
        return fn(*args)


def num_streams(mesh: Mesh | None) -> int:
    """Return how many programs to run at a time: one for each core of a CPU, one with a mesh or on other devices."""
    return num_cores() if mesh is None and jax.default_backend() == "cpu" else 1


def num_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(fn: Callable[[Item], Result], items: Iterable[Item], number: int) -> Iterator[Result]:
    """Yield `fn` of each item, in the items' order, computed in `number` streams; what fails is raised in its turn."""
    if number == 1:
        yield from map(fn, items)
        return
    threads = ThreadPoolExecutor(number)
    try:
        yield from threads.map(fn, items)
    finally:
        threads.shutdown(cancel_futures=True)
