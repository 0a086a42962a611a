"""The host's half of decoding and search: items into lanes, results out of them, on a CPU several streams at a time."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Generic, NamedTuple, TypeVar

import jax
import numpy as np
from jax.sharding import Mesh

from procsup_jax.parallel.rules import batch_shards
from procsup_jax.parallel.streams import calling, num_streams

Item = TypeVar("Item")
State = TypeVar("State")

# Fewer rows (lanes x slots) make a stream's products too small to be worth a core.
MIN_STREAM_ROWS = 64


class Streams(NamedTuple):
    """Hold how many streams to run, and of how many lanes each."""

    number: int
    lanes: int

    @property
    def all_lanes(self) -> int:
        """Return the lanes of all streams."""
        return self.number * self.lanes


def split(lanes: int, slots: int, num_items: int, mesh: Mesh | None) -> Streams:
    """Return how to run `lanes` of so many slots each, or fewer where there are fewer items.

    Each stream has at least MIN_STREAM_ROWS slots; a mesh has a multiple of its devices as lanes.
    """
    lanes = min(lanes, num_items)
    shards = batch_shards(mesh)
    number = max(1, min(num_streams(mesh), lanes, lanes * slots // MIN_STREAM_ROWS))
    return Streams(number, -(-lanes // (number * shards)) * shards)


@dataclasses.dataclass(frozen=True)
class Feeder(Generic[State, Item]):
    """Feed items to the lanes of a program and collect what it made of them.

    `init` makes a stream's idle lanes, `lanes` of them; `assign` reads new items, at most `swap_size`, into their
    lanes; `advance` goes on in every lane, perhaps until so many are idle, and returns for each whether it is active
    still (or how much); `results` returns arrays whose rows are the lanes'. All but `advance`, which may have work on
    the host and takes it itself, are called with `parallel.streams.calling` held.
    """

    lanes: int
    swap_size: int
    init: Callable[[], State]
    assign: Callable[[State, Mapping[int, Item]], State]
    advance: Callable[[State, int], tuple[State, jax.Array]]
    results: Callable[[State], tuple[jax.Array, ...]]

    def run(self, items: Sequence[Item], number: int = 1) -> Iterator[tuple[Item, list[np.ndarray]]]:
        """Yield each item with its row of the results, as they come in from so many streams.

        Which stream has an item is fixed, by its place, so that what is computed together does not depend on timing.
        """
        running = [_Stream(self, items[start::number]) for start in range(number)]
        if number == 1:
            while running[0].work:
                yield from running[0].go_on()
            return
        with ThreadPoolExecutor(number) as threads:
            pending = {threads.submit(stream.go_on): stream for stream in running}
            while pending:
                for future in wait(pending, return_when=FIRST_COMPLETED).done:
                    stream, found = pending.pop(future), future.result()
                    if stream.work:
                        pending[threads.submit(stream.go_on)] = stream
                    yield from found


class _Stream(Generic[State, Item]):
    """Hold lanes, the items that own them, and those that wait."""

    def __init__(self, feeder: Feeder[State, Item], items: Sequence[Item]) -> None:
        self._feeder, self._waiting = feeder, collections.deque(items)
        self._owners: dict[int, Item] = {}
        with calling:
            self._state = feeder.init()

    @property
    def work(self) -> bool:
        """Tell whether there is any left."""
        return bool(self._waiting or self._owners)

    def go_on(self) -> list[tuple[Item, list[np.ndarray]]]:
        """Give idle lanes items and run the program once; return the items that are done then."""
        with calling:
            self._assign()
        enough = self._feeder.swap_size if self._waiting else self._feeder.lanes
        self._state, active_n = self._feeder.advance(self._state, enough)
        active = np.asarray(active_n)
        done = [lane for lane in self._owners if not active[lane]]
        if not done:
            return []
        with calling:
            results = self._feeder.results(self._state)
        # Copied, as the next program may write over the state that they are views of.
        arrays = [np.array(array) for array in results]
        return [(self._owners.pop(lane), [array[lane] for array in arrays]) for lane in done]

    def _assign(self) -> None:
        size = self._feeder.swap_size
        free = [lane for lane in range(self._feeder.lanes) if lane not in self._owners]
        while self._waiting and len(free) >= min(size, len(self._waiting)):
            rows, free = free[:size], free[size:]
            new = {lane: self._waiting.popleft() for lane in rows[: len(self._waiting)]}
            self._owners |= new
            self._state = self._feeder.assign(self._state, new)
