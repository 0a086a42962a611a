"""Shuffled batches of packed rows, without end, whose place is saved and restored exactly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

import grain
import numpy as np

from procsup_jax.data.pack import Packed
from procsup_jax.errors import UserError

Batch = Mapping[str, np.ndarray]


class Batches:
    """Iterate over batches of `batch_size` rows: int32 arrays, float32 weights and a reward model's targets, [b, l].

    Every epoch is a fresh permutation of the rows by `seed`, and a batch may straddle two epochs: no row is dropped,
    all are used equally often, and a batch may be larger than the data. The batches are a function of the rows,
    `batch_size` and `seed` only: the same in every process, each of which puts its share of them onto its devices.
    """

    def __init__(self, packed: Packed, batch_size: int, seed: int) -> None:
        self._packed = packed
        # Endless for any purpose; grain's own endless repeat overflows for batches of one row.
        num_epochs = 2**62 // packed.num_rows
        rows = grain.MapDataset.source(np.arange(packed.num_rows)).seed(seed % 2**32).shuffle().repeat(num_epochs)
        options = grain.ReadOptions(num_threads=0, prefetch_buffer_size=0)
        self._iterator: grain.DatasetIterator = iter(rows.batch(batch_size).to_iter_dataset(options))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Batch:
        batch = take_rows(self._packed, next(self._iterator))
        if not batch["weights"].any():
            raise UserError("a batch has no label: every row needs at least one position with weight > 0")
        return batch

    def get_state(self) -> dict[str, Any]:
        """Return the place in the stream as a JSON object; it is the same in all processes."""
        return self._iterator.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Go to a place that `get_state` returned."""
        self._iterator.set_state(state)


def take_rows(packed: Packed, rows_b: np.ndarray) -> Batch:
    """Return the given rows as int32 arrays and, where they hold no whole numbers, float32 ones, [b, l]."""
    return {
        name: array[rows_b].astype(np.float32 if array.dtype.kind == "f" else np.int32)
        for name, array in packed.arrays.items()
    }


def padded_batches(packed: Packed, batch_size: int) -> Iterator[Batch]:
    """Yield every row once, in order; the last batch is filled up with rows of weight 0 (for evaluation)."""
    for start in range(0, packed.num_rows, batch_size):
        rows_b = np.arange(start, start + batch_size)
        real_b = rows_b < packed.num_rows
        batch = dict(take_rows(packed, np.where(real_b, rows_b, 0)))
        batch["weights"] = batch["weights"] * real_b[:, None].astype(np.float32)
        yield batch
