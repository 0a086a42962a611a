"""Keys and values kept between calls, and what moves them: written, appended to a prefix, taken by row.

A *lane* owns one prefix and a number of *slots*; each slot has its own suffix. Rows of a cache are lanes (prefix) or
lanes x slots (suffix), each with its key-value heads merged in: [rows * kv_heads, capacity, head_dim].
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from procsup_jax.models.config import ModelConfig


class LayerKV(NamedTuple):
    """Hold one layer's keys and values, and with a token shift each position's normed input [rows, capacity, d]."""

    k: jax.Array
    v: jax.Array
    x: jax.Array | None = None


class KV(NamedTuple):
    """Hold a cache, one entry a layer; opaque outside this package."""

    layers: tuple[LayerKV, ...]


class Slots(NamedTuple):
    """Say how much of each prefix and of each suffix is filled, in tokens."""

    prefix_len_n: jax.Array
    suffix_len_ns: jax.Array


def init_kv(config: ModelConfig, rows: int, capacity: int) -> KV:
    """Make an empty cache for `rows` sequences of up to `capacity` tokens."""
    dtype = jnp.dtype(config.dtype)

    def layer() -> LayerKV:
        shape = (rows * config.num_kv_heads, capacity, config.head_dim)
        x = jnp.zeros((rows, capacity, config.d_model), dtype) if config.shift_width else None
        return LayerKV(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype), x)

    return KV(tuple(layer() for _ in range(config.num_layers)))


def write(cache: LayerKV, new: LayerKV, start_r: jax.Array) -> LayerKV:
    """Write new positions at `start_r` of each row; what would lie past the capacity is dropped."""
    return jax.tree.map(lambda old, part: _put(old, part, start_r), cache, new)


def history(prefix: LayerKV, suffix: LayerKV, slots: Slots, width: int) -> jax.Array:
    """Gather the normed inputs of the `width` positions before each slot's end, [rows, width, d], oldest first."""
    assert prefix.x is not None and suffix.x is not None
    n, s = slots.suffix_len_ns.shape
    back = jnp.arange(-width, 0)
    own_nsw = slots.suffix_len_ns[:, :, None] + back
    shared_nsw = slots.prefix_len_n[:, None, None] + own_nsw
    own = _gather(suffix.x, own_nsw.reshape(n * s, width)).reshape(n, s, width, -1)
    shared = _gather(prefix.x, shared_nsw.reshape(n, s * width)).reshape(n, s, width, -1)
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
    num_slots = suffix.layers[0].k.shape[0] // config.num_kv_heads // num_lanes
    chosen = take_rows(config, suffix, jnp.arange(num_lanes) * num_slots + choice_n)
    return KV(
        tuple(
            jax.tree.map(lambda old, part: _put(old, part, prefix_len_n, take_len_n), layer, new)
            for layer, new in zip(prefix.layers, chosen.layers, strict=True)
        )
    )


def take_rows(config: ModelConfig, kv: KV, row_r: jax.Array) -> KV:
    """Copy the rows `row_r` (lanes of a prefix, lanes x slots of a suffix), in that order, repeats allowed."""
    rows = _num_rows(config, kv)
    return jax.tree.map(lambda a: _by_row(a, rows)[row_r].reshape(-1, *a.shape[1:]), kv)


def put_rows(config: ModelConfig, kv: KV, row_r: jax.Array, new: KV) -> KV:
    """Overwrite the rows `row_r` with those of `new`, whose capacity may be smaller; rows past the end are dropped."""
    rows, num_new = _num_rows(config, kv), _num_rows(config, new)

    def put(old: jax.Array, part: jax.Array) -> jax.Array:
        by_row = _by_row(old, rows)
        placed = by_row.at[row_r, :, : part.shape[1]].set(_by_row(part, num_new), mode="drop")
        return placed.reshape(old.shape)

    return jax.tree.map(put, kv, new)


def _num_rows(config: ModelConfig, kv: KV) -> int:
    return kv.layers[0].k.shape[0] // config.num_kv_heads


def _by_row(array: jax.Array, rows: int) -> jax.Array:
    return array.reshape(rows, -1, *array.shape[1:])


def _put(old: jax.Array, new: jax.Array, start_r: jax.Array, take_r: jax.Array | None = None) -> jax.Array:
    """Write new [rows * x, t, ...] into old [rows * x, capacity, ...] at column start (the first `take` of them)."""
    t, capacity = new.shape[1], old.shape[1]
    cols = start_r[:, None] + jnp.arange(t)
    if take_r is not None:
        cols = jnp.where(jnp.arange(t) < take_r[:, None], cols, capacity)
    cols = jnp.repeat(cols, old.shape[0] // start_r.shape[0], axis=0)
    rows = jnp.arange(old.shape[0])[:, None]
    return old.at[rows, cols].set(new.astype(old.dtype), mode="drop", unique_indices=take_r is None)


def _gather(x_rcd: jax.Array, cols: jax.Array) -> jax.Array:
    if not x_rcd.shape[1]:
        return jnp.zeros((*cols.shape, x_rcd.shape[2]), x_rcd.dtype)
    rows = jnp.arange(x_rcd.shape[0])[:, None]
    values = x_rcd.at[rows, jnp.maximum(cols, 0)].get(mode="fill", fill_value=0)
    return jnp.where(cols[..., None] >= 0, values, 0)
