"""Keys and values kept between calls, and what moves them: written, appended to a prefix, taken by row.

A *lane* owns one prefix and a number of *slots*; each slot has its own suffix. Rows of a cache are lanes (prefix) or
lanes x slots (suffix), each with its key-value heads merged in: keys are [rows * kv_heads, head_dim, capacity], values
[rows * kv_heads, capacity, head_dim]. So both products of attention read them in order; with keys laid out like values,
one query against them took XLA:CPU three times as long. The capacity is cut into blocks, each an array of its own, so
that attention can leave out those that no sequence has reached yet (slicing one large array instead would copy it).
All is kept in the config's `cache_dtype` and read in the compute type; what a reward model's head keeps, such as a sum
of log-probabilities, is float32 always. A float32 model's bfloat16 caches are kept as their bits, in uint16: XLA:CPU
carries bfloat16 arrays through a loop as float32, which saved nothing and took three times as long.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from procsup_jax.models.config import ModelConfig

MIN_BLOCK_LEN = 64
MAX_BLOCKS = 4

Blocks = tuple[jax.Array, ...]


# The axis of the positions in the blocks of keys, values and inputs.
_AXES = (2, 1, 1)


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
        heads = rows * config.num_kv_heads
        k = tuple(jnp.zeros((heads, config.head_dim, size), dtype) for size in blocks)
        v = tuple(jnp.zeros((heads, size, config.head_dim), dtype) for size in blocks)
        return LayerKV(k, v, (jnp.zeros((rows, capacity, config.d_model), dtype),) if config.shift_width else ())

    own = (jnp.zeros((rows, capacity, head_width), jnp.float32),) if head_width else ()
    return KV(tuple(layer() for _ in range(config.num_layers)), LayerKV((), (), own))


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
    config: ModelConfig,
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
    num_slots = _num_rows(config, suffix) // num_lanes
    chosen = take_rows(config, suffix, jnp.arange(num_lanes) * num_slots + choice_n)
    return _each(lambda entry, new: write(entry, new, prefix_len_n, take_len_n), prefix, chosen)


def take_rows(config: ModelConfig, kv: KV, row_r: jax.Array) -> KV:
    """Copy the rows `row_r` (lanes of a prefix, lanes x slots of a suffix), in that order, repeats allowed."""
    if not kv.layers[0].k:
        return kv
    rows = _num_rows(config, kv)
    return jax.tree.map(lambda a: _by_row(a, rows)[row_r].reshape(-1, *a.shape[1:]), kv)


def take_positions(kv: KV, position_nsm: jax.Array) -> KV:
    """Copy, for each of s slots of each row n, the positions [m] of that row, in that order; the rows are n * s.

    Blocks past the farthest position are not read. What is taken from outside the capacity means nothing.
    """
    n, _, m = position_nsm.shape
    entries = (*kv.layers, kv.head)
    parts = [(blocks, axis) for entry in entries for blocks, axis in zip(entry, _AXES, strict=True) if blocks]

    def take(block: jax.Array, axis: int, start: int) -> jax.Array:
        at = jax.vmap(lambda row, local_sm: jnp.take(row, local_sm, axis=axis, mode="clip"))
        return jnp.moveaxis(at(_by_row(block, n), position_nsm - start), axis + 1, 1)

    def later(index: int, start: int, taken: list[jax.Array]) -> list[jax.Array]:
        for i, (blocks, axis) in enumerate(parts):
            if len(blocks) > index:
                others = [dim for dim in range(2, taken[i].ndim) if dim != axis + 2]
                inside = jnp.expand_dims(position_nsm >= start, others)
                taken[i] = jnp.where(inside, take(blocks[index], axis, start), taken[i])
        return taken

    taken = [take(blocks[0], axis, 0) for blocks, axis in parts]
    for index, (start, _) in enumerate(_starts([block.shape[1] for block in kv.layers[0].v])):
        if index:
            read = functools.partial(later, index, start)
            taken = jax.lax.cond(jnp.max(position_nsm) >= start, read, lambda taken: taken, taken)
    rows = iter(part.reshape(-1, *part.shape[3:]) for part in taken)
    joined = _each(lambda entry: LayerKV(*((next(rows),) if blocks else () for blocks in entry)), kv)
    return _each(lambda entry: with_capacity(entry, m), joined)


def put_rows(config: ModelConfig, kv: KV, row_r: jax.Array, new: KV) -> KV:
    """Overwrite the rows `row_r` with those of `new`, whose capacity may be smaller; rows past the end are dropped."""
    rows, num_new = _num_rows(config, kv), _num_rows(config, new)

    def put(old: Blocks, part: Blocks, axis: int) -> Blocks:
        if not old:
            return old
        whole, placed = _join(part, axis), []
        for block, (start, size) in zip(old, _starts([a.shape[axis] for a in old]), strict=True):
            end = min(start + size, whole.shape[axis])
            if end > start:
                piece = _by_row(jax.lax.slice_in_dim(whole, start, end, axis=axis), num_new)
                target = _by_row(block, rows).at[row_r, *(slice(n) for n in piece.shape[1:])]
                block = target.set(piece, mode="drop").reshape(block.shape)
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


def _num_rows(config: ModelConfig, kv: KV) -> int:
    return kv.layers[0].k[0].shape[0] // config.num_kv_heads


def _by_row(array: jax.Array, rows: int) -> jax.Array:
    return array.reshape(rows, -1, *array.shape[1:])


def _put(old: Blocks, new: Blocks, axis: int, start_r: jax.Array, take_r: jax.Array | None) -> Blocks:
    """Write the new blocks' positions, t of them on `axis`, from position start_r of each row on; rows * x arrays."""
    if not old or not new:
        return old
    part = _join(new, axis)
    t, repeats = part.shape[axis], part.shape[0] // start_r.shape[0]
    cols = start_r[:, None] + jnp.arange(t)
    keep = jnp.ones(t, bool) if take_r is None else jnp.arange(t) < take_r[:, None]
    rows = jnp.arange(part.shape[0])[:, None]
    written = []
    for block, (start, size) in zip(old, _starts([a.shape[axis] for a in old]), strict=True):
        inside = keep & (cols >= start) & (cols < start + size)
        places = jnp.repeat(jnp.where(inside, cols - start, size), repeats, axis=0)
        target = block.at[rows, places] if axis == 1 else block.at[rows, :, places]
        values = part if axis == 1 else part.swapaxes(1, 2)
        written.append(target.set(to_kept(values, block.dtype), mode="drop"))
    return tuple(written)


def _gather(x_rcd: jax.Array, cols: jax.Array) -> jax.Array:
    if not x_rcd.shape[1]:
        return jnp.zeros((*cols.shape, x_rcd.shape[2]), x_rcd.dtype)
    rows = jnp.arange(x_rcd.shape[0])[:, None]
    values = x_rcd.at[rows, jnp.maximum(cols, 0)].get(mode="fill", fill_value=0)
    return jnp.where(cols[..., None] >= 0, values, 0)
