"""Attention without parameters: over packed documents, and over a shared prefix plus each slot's own suffix.

Rows and key-value heads are the batch of both matmuls and the query heads of one key-value head are extra query rows,
so that grouped keys are never repeated; rows and heads stay axes of their own, as a mesh splits both. Axis letters: r
row of the batch, k key-value head, g query heads of one key-value head, l query position, m key position, e head width.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from procsup_jax.models.cache import Blocks, from_kept

MASKED = -1e30
MIN_QUERY_BLOCK = 64
MAX_QUERY_BLOCKS = 8

Residuals = tuple[jax.Array, jax.Array, jax.Array, jax.Array, jax.Array, jax.Array]


@jax.custom_vjp
def packed_attention(q_rkgle: jax.Array, k_rkme: jax.Array, v_rkme: jax.Array, segments_rm: jax.Array) -> jax.Array:
    """Attend causally within each document of packed rows; return [r, k, g, l, e].

    With more keys than queries, m of them, the queries are the last l positions of m.

    Queries go in blocks, each against the keys up to its own end, so that most of the masked upper triangle is never
    computed. The backward pass recomputes the probabilities from each query's log-sum-exp instead of keeping them
    (Dao et al. 2022). A position attends to those of equal segment id only, so real tokens (ids from 1) never see
    padding (0).
    """
    return _packed_forward(q_rkgle, k_rkme, v_rkme, segments_rm)[0]


def _packed_forward(
    q_rkgle: jax.Array, k_rkme: jax.Array, v_rkme: jax.Array, segments_rm: jax.Array
) -> tuple[jax.Array, Residuals]:
    outs, lses = [], []
    before = k_rkme.shape[2] - q_rkgle.shape[3]
    for start, end in _query_blocks(q_rkgle.shape[3]):
        seen = before + end
        scores = _masked_scores(q_rkgle[:, :, :, start:end], k_rkme[:, :, :seen], segments_rm[:, :seen])
        top = scores.max(-1, keepdims=True)
        exps = jnp.exp(scores - top)
        total = exps.sum(-1, keepdims=True)
        outs.append((_mix(exps, v_rkme[:, :, :seen]) / total).astype(q_rkgle.dtype))
        lses.append(top + jnp.log(total))
    out, lse = jnp.concatenate(outs, axis=3), jnp.concatenate(lses, axis=3)
    return out, (q_rkgle, k_rkme, v_rkme, segments_rm, out, lse)


def _packed_backward(residuals: Residuals, dout: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array, None]:
    q, k, v, segments, out, lse = residuals
    inner = (dout.astype(jnp.float32) * out.astype(jnp.float32)).sum(-1, keepdims=True)
    dqs, dks, dvs = [], [], []
    for start, end in _query_blocks(q.shape[3]):
        block = (slice(None), slice(None), slice(None), slice(start, end))
        seen = k.shape[2] - q.shape[3] + end
        q_block, dout_block, k_seen, v_seen = q[block], dout[block], k[:, :, :seen], v[:, :, :seen]
        probs = jnp.exp(_masked_scores(q_block, k_seen, segments[:, :seen]) - lse[block])
        dprobs = _scores(dout_block, v_seen)
        dscores = probs * (dprobs - inner[block]) * q.shape[-1] ** -0.5
        dqs.append(_mix(dscores, k_seen).astype(q.dtype))
        rest = ((0, 0), (0, 0), (0, k.shape[2] - seen), (0, 0))
        dks.append(jnp.pad(_mix_queries(dscores, q_block), rest))
        dvs.append(jnp.pad(_mix_queries(probs, dout_block), rest))
    return (
        jnp.concatenate(dqs, axis=3),
        functools.reduce(jnp.add, dks).astype(k.dtype),
        functools.reduce(jnp.add, dvs).astype(v.dtype),
        None,
    )


packed_attention.defvjp(_packed_forward, _packed_backward)


def _query_blocks(length: int) -> list[tuple[int, int]]:
    """Cut positions into at most MAX_QUERY_BLOCKS ranges of MIN_QUERY_BLOCK or more (the last may be shorter)."""
    size = max(MIN_QUERY_BLOCK, -(-length // MAX_QUERY_BLOCKS))
    return [(start, min(start + size, length)) for start in range(0, length, size)]


def _masked_scores(q_rkgle: jax.Array, k_rkme: jax.Array, segments_rm: jax.Array) -> jax.Array:
    """Score the last l of m positions against all m, MASKED where a query may not look."""
    length, m = q_rkgle.shape[3], k_rkme.shape[2]
    causal_lm = jnp.arange(m - length, m)[:, None] >= jnp.arange(m)
    mask_rlm = causal_lm & (segments_rm[:, m - length :, None] == segments_rm[:, None, :])
    scores = _scores(q_rkgle, k_rkme) * q_rkgle.shape[-1] ** -0.5
    return jnp.where(mask_rlm[:, None, None], scores, MASKED)


class _Merged(NamedTuple):
    """Hold a softmax over the keys seen so far: maximum [...], sum of exponentials [...], mixed values [..., e]."""

    top: jax.Array
    total: jax.Array
    mixed: jax.Array


def slot_attention(
    q_nskgte: jax.Array,
    prefix: tuple[Blocks, Blocks],
    prefix_len_n: jax.Array,
    suffix: tuple[Blocks, Blocks],
    suffix_len_ns: jax.Array,
) -> jax.Array:
    """Attend from t new tokens of each of n lanes x s slots; return [n, s, k, g, t, e].

    `prefix` holds keys in blocks [n, k, e, m] and values [n, k, m, e], stored once for a lane and read in one product
    for all its slots; `suffix`, with n * s rows, holds each slot's own, the new tokens already written at suffix_len.
    Blocks that start past the longest sequence are not read. Softmaxes over blocks are merged at their common maximum.
    """
    n, s, k, g, t, e = q_nskgte.shape
    ends_nst = suffix_len_ns[:, :, None] + jnp.arange(1, t + 1)
    own_q = q_nskgte.reshape(n * s, k, g, t, e)
    merged = _empty(own_q)
    merged = _merge_blocks(merged, own_q, suffix, ends_nst.reshape(n * s, 1, 1, t))
    if prefix[0]:
        shared_q = q_nskgte.transpose(0, 2, 1, 3, 4, 5).reshape(n, k, s * g, t, e)
        shared = _merge_blocks(_empty(shared_q), shared_q, prefix, prefix_len_n[:, None, None, None])
        merged = _merge(
            merged, _Merged(*(_by_slot(part, s).reshape(own.shape) for part, own in zip(shared, merged, strict=True)))
        )
    return (merged.mixed / merged.total[..., None]).astype(q_nskgte.dtype).reshape(q_nskgte.shape)


def _merge_blocks(merged: _Merged, q_rkgte: jax.Array, blocks: tuple[Blocks, Blocks], end: jax.Array) -> _Merged:
    """Attend to the positions before `end` (broadcast against [r, k, g, t]) of every block that holds such."""
    longest, start = end.max(), 0
    for block_k, block_v in zip(*blocks, strict=True):
        m = block_v.shape[2]
        operands = (merged, block_k, block_v)
        read = functools.partial(_read_block, q_rkgte, end - start)
        merged = read(*operands) if start == 0 else jax.lax.cond(longest > start, read, _skip_block, *operands)
        start += m
    return merged


def _read_block(q_rkgte: jax.Array, end: jax.Array, merged: _Merged, k_rkem: jax.Array, v_rkme: jax.Array) -> _Merged:
    r, k, g, t, e = q_rkgte.shape
    k_rkem, v_rkme = from_kept(k_rkem, q_rkgte.dtype), from_kept(v_rkme, q_rkgte.dtype)
    q_rkye = q_rkgte.reshape(r, k, g * t, e)
    scores = jnp.einsum("rkye,rkem->rkym", q_rkye, k_rkem, preferred_element_type=jnp.float32)
    scores = scores.reshape(r, k, g, t, -1) * e**-0.5
    scores = jnp.where(jnp.arange(scores.shape[-1]) < end[..., None], scores, MASKED)
    top = jnp.maximum(merged.top, scores.max(-1))
    exps, rest = jnp.exp(scores - top[..., None]), jnp.exp(merged.top - top)
    return _Merged(top, merged.total * rest + exps.sum(-1), merged.mixed * rest[..., None] + _mix(exps, v_rkme))


def _skip_block(merged: _Merged, k_rkem: jax.Array, v_rkme: jax.Array) -> _Merged:
    del k_rkem, v_rkme
    return merged


def _merge(a: _Merged, b: _Merged) -> _Merged:
    top = jnp.maximum(a.top, b.top)
    from_a, from_b = jnp.exp(a.top - top), jnp.exp(b.top - top)
    mixed = a.mixed * from_a[..., None] + b.mixed * from_b[..., None]
    return _Merged(top, a.total * from_a + b.total * from_b, mixed)


def _empty(q_rkgte: jax.Array) -> _Merged:
    zeros = jnp.zeros(q_rkgte.shape, jnp.float32)
    return _Merged(zeros[..., 0] + MASKED, zeros[..., 0], zeros)


def _by_slot(shared: jax.Array, s: int) -> jax.Array:
    """Turn [n, k, s * g, ...] into [n, s, k, g, ...]."""
    n, k = shared.shape[:2]
    return shared.reshape(n, k, s, -1, *shared.shape[3:]).swapaxes(1, 2)


def _scores(q_rkgle: jax.Array, k_rkme: jax.Array) -> jax.Array:
    r, k, g, length, e = q_rkgle.shape
    q_rkye = q_rkgle.reshape(r, k, g * length, e)
    scores = jnp.einsum("rkye,rkme->rkym", q_rkye, k_rkme, preferred_element_type=jnp.float32)
    return scores.reshape(r, k, g, length, -1)


def _mix(probs_rkglm: jax.Array, v_rkme: jax.Array) -> jax.Array:
    r, k, g, length, m = probs_rkglm.shape
    probs_rkym = probs_rkglm.reshape(r, k, g * length, m).astype(v_rkme.dtype)
    mixed = jnp.einsum("rkym,rkme->rkye", probs_rkym, v_rkme, preferred_element_type=jnp.float32)
    return mixed.reshape(r, k, g, length, -1)


def _mix_queries(probs_rkglm: jax.Array, q_rkgle: jax.Array) -> jax.Array:
    """Sum what the queries hand to each key, [r, k, m, e] in float32."""
    r, k, g, length, m = probs_rkglm.shape
    probs_rkym = probs_rkglm.reshape(r, k, g * length, m).astype(q_rkgle.dtype)
    q_rkye = q_rkgle.reshape(r, k, g * length, -1)
    return jnp.einsum("rkym,rkye->rkme", probs_rkym, q_rkye, preferred_element_type=jnp.float32)
