"""Attention without parameters: over packed documents, and over a shared prefix plus each slot's own suffix.

Batch and key-value heads are merged into one leading axis and the query heads of one key-value head are extra query
rows: both matmuls then are plain batched ones, and grouped keys are never repeated. Axis letters: r row of the batch,
k key-value head, g query heads of one key-value head, l query position, m key position, e head width.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

MASKED = -1e30
QUERY_BLOCK = 128


def packed_attention(q_rkgle: jax.Array, k_rkle: jax.Array, v_rkle: jax.Array, segments_rl: jax.Array) -> jax.Array:
    """Attend causally within each document of packed rows; return [r, k, g, length, e].

    Queries go in blocks of `QUERY_BLOCK` positions, each against the keys up to its own end, so that most of the
    masked upper triangle is never computed; scores are recomputed in the backward pass instead of kept. A position
    attends to those of equal segment id only, so real tokens (ids from 1) never see padding (0).
    """
    length = q_rkgle.shape[3]
    blocks = []
    for start in range(0, length, QUERY_BLOCK):
        end = min(start + QUERY_BLOCK, length)
        blocks.append(
            _attend_block(
                q_rkgle[:, :, :, start:end], k_rkle[:, :, :end], v_rkle[:, :, :end], segments_rl[:, :end], start
            )
        )
    return blocks[0] if len(blocks) == 1 else jnp.concatenate(blocks, axis=3)


@functools.partial(jax.checkpoint, static_argnums=(4,))
def _attend_block(
    q_rkgle: jax.Array, k_rkme: jax.Array, v_rkme: jax.Array, segments_rm: jax.Array, start: int
) -> jax.Array:
    r, k, g, length, e = q_rkgle.shape
    m = k_rkme.shape[2]
    causal_lm = jnp.arange(start, start + length)[:, None] >= jnp.arange(m)
    mask_rlm = causal_lm & (segments_rm[:, start:, None] == segments_rm[:, None, :])
    scores = _scores(q_rkgle.reshape(r * k, g * length, e), k_rkme.reshape(r * k, m, e))
    scores = jnp.where(mask_rlm[:, None, None], scores.reshape(r, k, g, length, m), MASKED)
    exps = jnp.exp(scores - jax.lax.stop_gradient(scores.max(-1, keepdims=True)))
    total = exps.sum(-1).reshape(r * k, g * length, 1)
    mixed = _mix(exps.reshape(r * k, g * length, m), v_rkme.reshape(r * k, m, e))
    return (mixed / total).astype(q_rkgle.dtype).reshape(r, k, g, length, e)


def slot_attention(
    q_nskgte: jax.Array,
    prefix: tuple[jax.Array, jax.Array],
    prefix_len_n: jax.Array,
    suffix: tuple[jax.Array, jax.Array],
    suffix_len_ns: jax.Array,
) -> jax.Array:
    """Attend from t new tokens of each of n lanes x s slots; return [n, s, k, g, t, e].

    `prefix` holds keys and values [n * k, capacity, e], stored once for a lane and read in one product for all its
    slots; `suffix` [n * s * k, capacity, e] holds each slot's own, the new tokens already written at suffix_len.
    The two softmaxes are merged over their common maximum.
    """
    n, s, k, g, t, e = q_nskgte.shape
    own_q = q_nskgte.reshape(n * s * k, g * t, e)
    cols = jnp.arange(suffix[0].shape[1])
    last_nst = suffix_len_ns[:, :, None] + jnp.arange(t)
    mask_nstm = cols <= last_nst[..., None]
    own = _scores(own_q, suffix[0]).reshape(n, s, k, g, t, -1)
    own = jnp.where(mask_nstm[:, :, None, None], own, MASKED)
    own_max = own.max(-1)
    shared, shared_max = None, own_max
    if prefix[0].shape[1]:
        shared_q = q_nskgte.transpose(0, 2, 1, 3, 4, 5).reshape(n * k, s * g * t, e)
        shared = _scores(shared_q, prefix[0]).reshape(n, k, s, g, t, -1)
        in_prefix = jnp.arange(prefix[0].shape[1]) < prefix_len_n[:, None]
        shared = jnp.where(in_prefix[:, None, None, None, None], shared, MASKED)
        shared_max = shared.max(-1).transpose(0, 2, 1, 3, 4)
    top = jnp.maximum(own_max, shared_max)
    exps = jnp.exp(own - top[..., None])
    total = exps.sum(-1)
    mixed = _mix(exps.reshape(n * s * k, g * t, -1), suffix[1]).reshape(n, s, k, g, t, e)
    if shared is not None:
        exps = jnp.exp(shared - top.transpose(0, 2, 1, 3, 4)[..., None])
        total = total + exps.sum(-1).transpose(0, 2, 1, 3, 4)
        part = _mix(exps.reshape(n * k, s * g * t, -1), prefix[1]).reshape(n, k, s, g, t, e)
        mixed = mixed + part.transpose(0, 2, 1, 3, 4, 5)
    return (mixed / total[..., None]).astype(q_nskgte.dtype)


def _scores(q: jax.Array, k: jax.Array) -> jax.Array:
    scaled = q * jnp.asarray(q.shape[-1] ** -0.5, q.dtype)
    return jnp.einsum("xqe,xme->xqm", scaled, k, preferred_element_type=jnp.float32)


def _mix(exps: jax.Array, v: jax.Array) -> jax.Array:
    return jnp.einsum("xqm,xme->xqe", exps.astype(v.dtype), v, preferred_element_type=jnp.float32)
