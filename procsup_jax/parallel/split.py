"""Programs whose batch is split over devices that need nothing of each other.

A partitioner must prove that rows are independent, and asks all devices whenever it cannot: at every scatter of a
slot's token, and at every condition of a loop. Here each device of the batch axes computes on its own rows by
construction; what lies on the other axes, tensor parallelism, is left to the partitioner.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
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
