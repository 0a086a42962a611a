"""The cross-entropy of target tokens, with the logits of some rows of the vocabulary at a time.

A vocabulary of 256k makes 16 GiB of float32 logits of 16,384 tokens. Cutting the tokens instead would read the table
and add to the whole gradient of it once a piece; cutting the vocabulary touches each row of both once, and what is
added to at every piece is the gradient of the hidden states, which is hundreds of times smaller. The backward pass
makes the logits again from each token's log-sum-exp: four products with the table instead of three.

On a mesh each device reads the rows that it holds: a piece is a range of every device's own rows, gathered over the
axis that cuts their width, and the log-sum-exps of the devices are merged once, at the end. Axis letters: x token (a
row's position), s device that holds part of the vocabulary, t row of its part.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from procsup_jax.parallel.rules import constrain, num_shards

# Logits on each device: 128 MiB of float32.
MAX_PIECE = 2**25
# A piece of fewer rows would add to the hidden states' gradient more often than its products are worth.
MIN_ROWS = 512


class _Softmax(NamedTuple):
    """Hold a softmax over the rows seen so far, each [x, s]: maximum, sum of exponentials, the target's logit."""

    top: jax.Array
    total: jax.Array
    target: jax.Array


_Saved = tuple[jax.Array, jax.Array, jax.Array, jax.Array]


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def cross_entropy(
    hidden_bld: jax.Array, table_vd: jax.Array, targets_bl: jax.Array, rows: int | None = None
) -> tuple[jax.Array, jax.Array]:
    """Return each target's nats, float32 [b, l], and whether it is the most probable token.

    Logits are float32, made with the table in the hidden states' type. `rows` of the table are read at a time on each
    device; None chooses so many that their logits are about MAX_PIECE.
    """
    return _forward(hidden_bld, table_vd, targets_bl, rows)[0]


def _forward(
    hidden_bld: jax.Array, table_vd: jax.Array, targets_bl: jax.Array, rows: int | None
) -> tuple[tuple[jax.Array, jax.Array], _Saved]:
    hidden_xd, table_std, targets_x = _laid_out(hidden_bld, table_vd, targets_bl)

    def add(start: jax.Array | int, rows_std: jax.Array, seen: _Softmax) -> _Softmax:
        logits_xst = _logits(hidden_xd, rows_std)
        top_xs = jnp.maximum(seen.top, logits_xst.max(-1))
        total_xs = seen.total * jnp.exp(seen.top - top_xs) + jnp.exp(logits_xst - top_xs[..., None]).sum(-1)
        is_target_xst = _is_target(targets_x, start, rows_std, table_std)
        return _Softmax(top_xs, total_xs, seen.target + jnp.where(is_target_xst, logits_xst, 0.0).sum(-1))

    zeros_xs = constrain(jnp.zeros((hidden_xd.shape[0], table_std.shape[0]), jnp.float32), ("batch", "vocab"))
    rows = min(rows or _rows_at_a_time(hidden_bld, table_std), table_std.shape[1])
    empty = _Softmax(zeros_xs - jnp.inf, zeros_xs, zeros_xs)
    seen = _over_pieces(table_std, rows, add, empty, hidden_bld.dtype)
    top_x = seen.top.max(1)
    lse_x = jnp.log((seen.total * jnp.exp(seen.top - top_x[:, None])).sum(1)) + top_x
    target_x = seen.target.sum(1)
    found = (lse_x - target_x).reshape(targets_bl.shape), (target_x >= top_x).reshape(targets_bl.shape)
    return found, (hidden_bld, table_vd, targets_bl, lse_x)


def _backward(rows: int | None, saved: _Saved, cotangents: tuple[jax.Array, Any]) -> tuple[jax.Array, jax.Array, None]:
    hidden_bld, table_vd, targets_bl, lse_x = saved
    hidden_xd, table_std, targets_x = _laid_out(hidden_bld, table_vd, targets_bl)
    scale_x = cotangents[0].reshape(-1)

    def add(start: jax.Array | int, rows_std: jax.Array, sums: tuple[jax.Array, jax.Array]) -> Any:
        dhidden_xsd, dtable_std = sums
        probs_xst = jnp.exp(_logits(hidden_xd, rows_std) - lse_x[:, None, None])
        dlogits_xst = (probs_xst - _is_target(targets_x, start, rows_std, table_std)) * scale_x[:, None, None]
        dlogits_xst = dlogits_xst.astype(hidden_xd.dtype)
        dhidden_xsd += jnp.einsum("xst,std->xsd", dlogits_xst, rows_std, preferred_element_type=jnp.float32)
        drows_std = jnp.einsum("xst,xd->std", dlogits_xst, hidden_xd, preferred_element_type=jnp.float32)
        drows_std = constrain(drows_std.astype(dtable_std.dtype), ("vocab", None, "embed"))
        return dhidden_xsd, jax.lax.dynamic_update_slice_in_dim(dtable_std, drows_std, start, 1)

    # Every device sums what its own rows add, and the sums are added once.
    shape = (hidden_xd.shape[0], table_std.shape[0], hidden_xd.shape[1])
    dhidden_xsd = constrain(jnp.zeros(shape, jnp.float32), ("batch", "vocab", "act_embed"))
    dtable_std = constrain(jnp.zeros_like(table_std), ("vocab", None, "embed"))
    rows = min(rows or _rows_at_a_time(hidden_bld, table_std), table_std.shape[1])
    dhidden_xsd, dtable_std = _over_pieces(table_std, rows, add, (dhidden_xsd, dtable_std), hidden_xd.dtype)
    dhidden_bld = dhidden_xsd.sum(1).astype(hidden_bld.dtype).reshape(hidden_bld.shape)
    return dhidden_bld, dtable_std.reshape(table_vd.shape), None


cross_entropy.defvjp(_forward, _backward)


def _laid_out(
    hidden_bld: jax.Array, table_vd: jax.Array, targets_bl: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return hidden states and targets token by token, and the table with an axis of the devices that share it."""
    hidden_xd = constrain(hidden_bld.reshape(-1, hidden_bld.shape[-1]), ("batch", "act_embed"))
    size, width = table_vd.shape
    table_std = table_vd.reshape(num_shards("vocab", size), -1, width)
    return hidden_xd, constrain(table_std, ("vocab", None, "embed")), targets_bl.reshape(-1)


def _rows_at_a_time(hidden_bld: jax.Array, table_std: jax.Array) -> int:
    """Return how many rows of each device's part make a piece: pieces as equal as multiples of 128 rows can be."""
    b, length, _ = hidden_bld.shape
    num_tokens, num_rows = b * length // num_shards("batch", b), table_std.shape[1]
    num_pieces = -(-num_rows // max(MIN_ROWS, MAX_PIECE // num_tokens))
    return -(-num_rows // (128 * num_pieces)) * 128


def _over_pieces(table_std: jax.Array, rows: int, add: Callable[..., Any], sums: Any, dtype: Any) -> Any:
    """Fold `add(first row, rows in this type, sums)` over the pieces of a table; the last one may be shorter."""
    num_pieces, rest = divmod(table_std.shape[1], rows)

    def piece(start: jax.Array | int, size: int, sums: Any) -> Any:
        # Pinned on both sides, or the whole table would be gathered before the loop.
        rows_std = constrain(jax.lax.dynamic_slice_in_dim(table_std, start, size, 1), ("vocab", None, "embed"))
        rows_std = constrain(rows_std.astype(dtype), ("vocab", None, "embed"))
        return add(start, constrain(rows_std, ("vocab", None, "act_embed")), sums)

    sums = jax.lax.fori_loop(0, num_pieces, lambda i, sums: piece(i * rows, rows, sums), sums)
    return piece(num_pieces * rows, rest, sums) if rest else sums


def _logits(hidden_xd: jax.Array, rows_std: jax.Array) -> jax.Array:
    logits_xst = jnp.einsum("xd,std->xst", hidden_xd, rows_std, preferred_element_type=jnp.float32)
    return constrain(logits_xst, ("batch", "vocab", None))


def _is_target(targets_x: jax.Array, start: jax.Array | int, rows_std: jax.Array, table_std: jax.Array) -> jax.Array:
    first_s = jnp.arange(table_std.shape[0]) * table_std.shape[1] + start
    return targets_x[:, None, None] == first_s[:, None] + jnp.arange(rows_std.shape[1])
