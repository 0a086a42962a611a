"""Programs whose batch is split over devices that need nothing of each other.

A partitioner must prove that rows are independent, and asks all devices whenever it cannot: at every scatter of a
slot's token, and at every condition of a loop. Here each device of the batch axes computes on its own rows by
construction; what lies on the other axes, tensor parallelism, is left to the partitioner.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from procsup_jax.parallel.rules import BATCH, LogicalAxes, batch_shards, is_axes

Carry = TypeVar("Carry")

# Devices ask each other whether a loop goes on after so many rounds of it; it may be fewer too many.
STRIDE = 8
_SPLIT = ("batch", "rows")


def over_batch(fn: Callable[[Any, Any], Any], whole: Any, split: Any, split_axes: Any, out_axes: Any) -> Any:
    """Return fn(whole, split), computed by each device of the batch axes on its own part of `split`.

    `split_axes` and `out_axes` are trees of logical axes, of which those of the batch are cut; `whole` is the same on
    every device. Without a mesh, or where the batch does not divide, it is a plain call.
    """
    mesh = jax.sharding.get_abstract_mesh()
    shards = batch_shards(mesh)
    sizes = jax.tree.leaves(jax.tree.map(_batch_size, split_axes, split, is_leaf=is_axes))
    if shards == 1 or _is_split() or any(size % shards for size in sizes):
        return fn(whole, split)
    in_specs, out_specs = (jax.tree.map(_cut, axes, is_leaf=is_axes) for axes in (split_axes, out_axes))
    run = jax.shard_map(
        fn, in_specs=(PartitionSpec(), in_specs), out_specs=out_specs, axis_names=frozenset(BATCH), check_vma=False
    )
    return run(whole, split)


def over_rows(fn: Callable[[Any, Any], Any], whole: Any, rows: Any) -> Any:
    """Return fn(whole, rows), each device of the batch axes reading some of the rows; the results are whole on each.

    Rows are the first axis of every array given and returned. Where their number does not divide, rows of zeros are
    added and what comes of them is dropped. Without a mesh, or of a single row, it is a plain call.
    """
    mesh = jax.sharding.get_abstract_mesh()
    shards, count = batch_shards(mesh), jax.tree.leaves(rows)[0].shape[0]
    if shards == 1 or _is_split() or count == 1:
        return fn(whole, rows)
    added = -count % shards
    rows = jax.tree.map(lambda a: jnp.pad(a, [(0, added)] + [(0, 0)] * (a.ndim - 1)), rows)

    def gathered(whole: Any, rows: Any) -> Any:
        return jax.tree.map(lambda a: jax.lax.all_gather(a, BATCH, tiled=True)[:count], fn(whole, rows))

    specs = PartitionSpec(), PartitionSpec(BATCH)
    run = jax.shard_map(
        gathered, in_specs=specs, out_specs=PartitionSpec(), axis_names=frozenset(BATCH), check_vma=False
    )
    return run(whole, rows)


def total(number: jax.Array) -> jax.Array:
    """Return the sum of a number over the devices of the batch axes inside `over_batch`; elsewhere it is whole."""
    return jax.lax.psum(number, BATCH) if _is_split() else number


def repeat(
    go_on: Callable[[Carry], jax.Array], body: Callable[[Carry], Carry], carry: Carry, stride: int = STRIDE
) -> Carry:
    """Repeat `body` while `go_on`, which every device must answer alike (see `total`).

    Inside `over_batch` it is asked every `stride` rounds: rounds behind the last one must do no harm.
    """
    if not _is_split() or stride == 1:
        return jax.lax.while_loop(go_on, body, carry)
    return jax.lax.while_loop(go_on, lambda carry: jax.lax.fori_loop(0, stride, lambda _, c: body(c), carry), carry)


def _is_split() -> bool:
    return bool(jax.sharding.get_abstract_mesh().manual_axes)


def _cut(axes: LogicalAxes) -> PartitionSpec:
    return PartitionSpec(*(BATCH if axis in _SPLIT else None for axis in axes))


def _batch_size(axes: LogicalAxes, array: jax.Array) -> int:
    return next((size for axis, size in zip(axes, array.shape, strict=True) if axis in _SPLIT), 0)
