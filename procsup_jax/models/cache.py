"""Keys and values kept between calls, and what moves them: written, appended to a prefix, taken by row.

A *lane* owns one prefix and a number of *slots*; each slot has its own suffix. Rows of a cache are lanes (prefix) or
lanes x slots (suffix): keys are [rows, kv_heads, head_dim, capacity], values [rows, kv_heads, capacity, head_dim]. So
both products of attention read them in order; with keys laid out like values, one query against them took XLA:CPU three
times as long. Rows and heads stay axes of their own, as a mesh splits both. The capacity is cut into blocks, each an
array of its own, so that attention can leave out those that no sequence has reached yet (slicing one large array
instead would copy it).
All is kept in the config's `cache_dtype` and read in the compute type; what a reward model's head keeps, such as a sum
of log-probabilities, is float32 always. A float32 model's bfloat16 caches are kept as their bits, in uint16: XLA:CPU
carries bfloat16 arrays through a loop as float32, which saved nothing and took three times as long.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from procsup_jax.models.config import ModelConfig
from procsup_jax.parallel.rules import constrain_tree

MIN_BLOCK_LEN = 64
MAX_BLOCKS = 4

Blocks = tuple[jax.Array, ...]


# The axis of the positions in the blocks of keys, values and inputs.
_AXES = (3, 2, 1)
# What a mesh splits of each.
_LOGICAL = (("rows", "kv_heads", None, None), ("rows", "kv_heads", None, None), ("rows", None, None))


class LayerKV(NamedTuple):
    """Hold one layer's keys and values in blocks of positions.

    With a token shift `x` holds each position's normed input, in one block [rows, capacity, d]; else it is empty.
    """

    k: Blocks
    v: Blocks
    x: Blocks


class KV(NamedTuple):
    """Hold a cache: an entry a layer, and what a reward model's head keeps, in `x`; opaque outside this package."""

    layers: tuple[LayerKV, ...]
    head: LayerKV


class Slots(NamedTuple):
    """Say how much of each prefix and of each suffix is filled, in tokens."""

    prefix_len_n: jax.Array
    suffix_len_ns: jax.Array


def init_kv(config: ModelConfig, rows: int, capacity: int, head_width: int = 0) -> KV:
    """Make an empty cache for `rows` sequences of up to `capacity` tokens; a head keeps so many numbers of each."""
    dtype = kept_dtype(config)
    blocks = _block_lens(capacity)

    def layer() -> LayerKV:
        k = tuple(jnp.zeros((rows, config.num_kv_heads, config.head_dim, size), dtype) for size in blocks)
        v = tuple(jnp.zeros((rows, config.num_kv_heads, size, config.head_dim), dtype) for size in blocks)
        return LayerKV(k, v, (jnp.zeros((rows, capacity, config.d_model), dtype),) if config.shift_width else ())

    own = (jnp.zeros((rows, capacity, head_width), jnp.float32),) if head_width else ()
    kv = KV(tuple(layer() for _ in range(config.num_layers)), LayerKV((), (), own))
    return constrain_tree(kv, kv_axes(kv))


def kv_axes(kv: KV) -> KV:
    """Return the logical axes of each array (see parallel.rules)."""

    def axes_of(entry: LayerKV) -> LayerKV:
        axes: Any = [(axes,) * len(blocks) for blocks, axes in zip(entry, _LOGICAL, strict=True)]
        return LayerKV(*axes)

    return _each(axes_of, kv)


def state_axes(state: Any) -> Any:
    """Return the logical axes of each array of a state: all are split over their rows, caches over their heads too."""

    def axes_of(node: Any) -> Any:
        return kv_axes(node) if isinstance(node, KV) else ("batch",) + (None,) * (node.ndim - 1)

    return jax.tree.map(axes_of, state, is_leaf=lambda node: isinstance(node, KV))


def with_capacity(new: LayerKV, capacity: int) -> LayerKV:
    """Cut what holds all its positions in one block into a cache's blocks, with room for `capacity` positions."""

    def cut(whole: jax.Array, axis: int, blocks: list[int]) -> Blocks:
        room = [(0, capacity - whole.shape[axis] if i == axis else 0) for i in range(whole.ndim)]
        padded = jnp.pad(whole, room)
        return tuple(jax.lax.slice_in_dim(padded, start, start + size, axis=axis) for start, size in _starts(blocks))

    blocks = _block_lens(capacity), _block_lens(capacity), [capacity]
    parts = zip(new, _AXES, blocks, strict=True)
    return LayerKV(*(cut(part[0], axis, sizes) if part else () for part, axis, sizes in parts))


def kept_dtype(config: ModelConfig) -> jnp.dtype:
    """Return the type of a cache's arrays."""
    cache_dtype = config.cache_dtype or config.dtype
    return jnp.dtype("uint16" if (cache_dtype, config.dtype) == ("bfloat16", "float32") else cache_dtype)


def to_kept(computed: jax.Array, kept: jnp.dtype) -> jax.Array:
    """Convert what was computed to the type it is kept in; what is of that type already stays as it is."""
    if kept == jnp.uint16 and computed.dtype != jnp.uint16:
        return jax.lax.bitcast_convert_type(computed.astype(jnp.bfloat16), jnp.uint16)
    return computed.astype(kept)


def from_kept(kept: jax.Array, computed: jnp.dtype) -> jax.Array:
    """Convert what a cache holds to the type it is computed with."""
    if kept.dtype == jnp.uint16:
        kept = jax.lax.bitcast_convert_type(kept, jnp.bfloat16)
    return kept.astype(computed)


def write(cache: LayerKV, new: LayerKV, start_r: jax.Array, take_r: jax.Array | None = None) -> LayerKV:
    """Write new positions (the first `take_r` of them) at `start_r` of each row; past the capacity they are dropped.

    A part of `new` without blocks leaves that of the cache as it is.
    """
    parts = zip(cache, new, _AXES, strict=True)
    return LayerKV(*(_put(old, part, axis, start_r, take_r) for old, part, axis in parts))


def history(prefix: LayerKV, suffix: LayerKV, slots: Slots, width: int) -> jax.Array:
    """Gather the normed inputs of the `width` positions before each slot's end, [rows, width, d], oldest first."""
    n, s = slots.suffix_len_ns.shape
    back = jnp.arange(-width, 0)
    own_nsw = slots.suffix_len_ns[:, :, None] + back
    shared_nsw = slots.prefix_len_n[:, None, None] + own_nsw
    own = _gather(suffix.x[0], own_nsw.reshape(n * s, width)).reshape(n, s, width, -1)
    shared = _gather(prefix.x[0], shared_nsw.reshape(n, s * width)).reshape(n, s, width, -1)
    return jnp.where(own_nsw[..., None] >= 0, own, shared).reshape(n * s, width, -1)


def commit(
    prefix: KV,
    prefix_len_n: jax.Array,
    suffix: KV,
    choice_n: jax.Array,
    take_len_n: jax.Array,
) -> KV:
    """Append the first `take_len_n` tokens of slot `choice_n` of each lane to the lane's prefix.

    The caller advances prefix_len by take_len, which may be 0. What would lie past the prefix's capacity is dropped.
    """
    num_lanes = prefix_len_n.shape[0]

    def chosen(array: jax.Array) -> jax.Array:
        by_lane = array.reshape(num_lanes, -1, *array.shape[1:])
        return jax.vmap(lambda slots, choice: slots[choice])(by_lane, choice_n)

    return _each(lambda entry, new: write(entry, new, prefix_len_n, take_len_n), prefix, jax.tree.map(chosen, suffix))


def take_rows(kv: KV, row_r: jax.Array) -> KV:
    """Copy the rows `row_r` (lanes of a prefix, lanes x slots of a suffix), in that order, repeats allowed."""
    return jax.tree.map(lambda a: a[row_r], kv)


def take_positions(kv: KV, position_nsm: jax.Array) -> KV:
    """Copy, for each of s slots of each row n, the positions [m] of that row, in that order; the rows are n * s.

    Blocks past the farthest position are not read. What is taken from outside the capacity means nothing.
    """
    m = position_nsm.shape[2]
    entries = (*kv.layers, kv.head)
    parts = [(blocks, axis) for entry in entries for blocks, axis in zip(entry, _AXES, strict=True) if blocks]

    def take(block: jax.Array, axis: int, start: int) -> jax.Array:
        at = jax.vmap(lambda row, local_sm: jnp.take(row, local_sm, axis=axis - 1, mode="clip"))
        return jnp.moveaxis(at(block, position_nsm - start), axis, 1)

    def later(index: int, start: int, taken: list[jax.Array]) -> list[jax.Array]:
        for i, (blocks, axis) in enumerate(parts):
            if len(blocks) > index:
                others = [dim for dim in range(2, taken[i].ndim) if dim != axis + 1]
                inside = jnp.expand_dims(position_nsm >= start, others)
                taken[i] = jnp.where(inside, take(blocks[index], axis, start), taken[i])
        return taken

    taken = [take(blocks[0], axis, 0) for blocks, axis in parts]
    for index, (start, _) in enumerate(_starts([block.shape[_AXES[1]] for block in kv.layers[0].v])):
        if index:
            read = functools.partial(later, index, start)
            taken = jax.lax.cond(jnp.max(position_nsm) >= start, read, lambda taken: taken, taken)
    rows = iter(part.reshape(-1, *part.shape[2:]) for part in taken)
    joined = _each(lambda entry: LayerKV(*((next(rows),) if blocks else () for blocks in entry)), kv)
    return _each(lambda entry: with_capacity(entry, m), joined)


def put_rows(kv: KV, row_r: jax.Array, new: KV) -> KV:
    """Overwrite the rows `row_r` with those of `new`, whose capacity may be smaller; rows past the end are dropped."""

    def put(old: Blocks, part: Blocks, axis: int) -> Blocks:
        if not old:
            return old
        whole, placed = _join(part, axis), []
        for block, (start, size) in zip(old, _starts([a.shape[axis] for a in old]), strict=True):
            end = min(start + size, whole.shape[axis])
            if end > start:
                piece = jax.lax.slice_in_dim(whole, start, end, axis=axis)
                block = block.at[row_r, *(slice(n) for n in piece.shape[1:])].set(piece, mode="drop")
            placed.append(block)
        return tuple(placed)

    return _each(lambda old, part: LayerKV(*(put(*each) for each in zip(old, part, _AXES, strict=True))), kv, new)


def _each(fn: Callable[..., LayerKV], *caches: KV) -> KV:
    """Map over the entries of caches, in the order of the layers, the head's last."""
    *layers, head = itertools.starmap(fn, zip(*((*kv.layers, kv.head) for kv in caches), strict=True))
    return KV(tuple(layers), head)


def _block_lens(capacity: int) -> list[int]:
    if not capacity:
        return []
    size = max(MIN_BLOCK_LEN, -(-capacity // MAX_BLOCKS))
    return [min(size, capacity - start) for start in range(0, capacity, size)]


def _starts(sizes: list[int]) -> list[tuple[int, int]]:
    """Pair each block's first position with its size."""
    return [(sum(sizes[:i]), size) for i, size in enumerate(sizes)]


def _join(blocks: Blocks, axis: int) -> jax.Array:
    return blocks[0] if len(blocks) == 1 else jnp.concatenate(blocks, axis)


def _put(old: Blocks, new: Blocks, axis: int, start_r: jax.Array, take_r: jax.Array | None) -> Blocks:
    """Write the new blocks' positions, t of them on `axis`, from position start_r of each row on."""
    if not old or not new:
        return old
    values_rt = jnp.moveaxis(_join(new, axis), axis, 1)
    t = values_rt.shape[1]
    cols = start_r[:, None] + jnp.arange(t)
    keep = jnp.ones(t, bool) if take_r is None else jnp.arange(t) < take_r[:, None]
    # Mapped over rows, so that a mesh that splits them knows that none writes into another's.
    put = jax.vmap(lambda row, at_t, new_t: row.at[(slice(None),) * (axis - 1) + (at_t,)].set(new_t, mode="drop"))
    written = []
    for block, (start, size) in zip(old, _starts([a.shape[axis] for a in old]), strict=True):
        inside = keep & (cols >= start) & (cols < start + size)
        places = jnp.where(inside, cols - start, size)
        written.append(put(block, places, jnp.moveaxis(to_kept(values_rt, block.dtype), 1, axis)))
    return tuple(written)


def _gather(x_rcd: jax.Array, cols: jax.Array) -> jax.Array:
    if not x_rcd.shape[1]:
        return jnp.zeros((*cols.shape, x_rcd.shape[2]), x_rcd.dtype)
    take = jax.vmap(lambda row, at: row.at[at].get(mode="fill", fill_value=0))
    return jnp.where(cols[..., None] >= 0, take(x_rcd, jnp.maximum(cols, 0)), 0)
