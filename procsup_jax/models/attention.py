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
MIN_QUERY_BLOCK = 64
MAX_QUERY_BLOCKS = 8

Residuals = tuple[jax.Array, jax.Array, jax.Array, jax.Array, jax.Array, jax.Array]


@jax.custom_vjp
def packed_attention(q_rkgle: jax.Array, k_rkle: jax.Array, v_rkle: jax.Array, segments_rl: jax.Array) -> jax.Array:
    """Attend causally within each document of packed rows; return [r, k, g, l, e].

    Queries go in blocks, each against the keys up to its own end, so that most of the masked upper triangle is never
    computed. The backward pass recomputes the probabilities from each query's log-sum-exp instead of keeping them
    (Dao et al. 2022). A position attends to those of equal segment id only, so real tokens (ids from 1) never see
    padding (0).
    """
    return _packed_forward(q_rkgle, k_rkle, v_rkle, segments_rl)[0]


def _packed_forward(
    q_rkgle: jax.Array, k_rkle: jax.Array, v_rkle: jax.Array, segments_rl: jax.Array
) -> tuple[jax.Array, Residuals]:
    outs, lses = [], []
    for start, end in _query_blocks(q_rkgle.shape[3]):
        scores = _masked_scores(q_rkgle[:, :, :, start:end], k_rkle[:, :, :end], segments_rl[:, :end])
        top = scores.max(-1, keepdims=True)
        exps = jnp.exp(scores - top)
        total = exps.sum(-1, keepdims=True)
        outs.append((_mix(exps, v_rkle[:, :, :end]) / total).astype(q_rkgle.dtype))
        lses.append(top + jnp.log(total))
    out, lse = jnp.concatenate(outs, axis=3), jnp.concatenate(lses, axis=3)
    return out, (q_rkgle, k_rkle, v_rkle, segments_rl, out, lse)


def _packed_backward(residuals: Residuals, dout: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array, None]:
    q, k, v, segments, out, lse = residuals
    inner = (dout.astype(jnp.float32) * out.astype(jnp.float32)).sum(-1, keepdims=True)
    dqs, dks, dvs = [], [], []
    for start, end in _query_blocks(q.shape[3]):
        block = (slice(None), slice(None), slice(None), slice(start, end))
        q_block, dout_block, k_seen, v_seen = q[block], dout[block], k[:, :, :end], v[:, :, :end]
        probs = jnp.exp(_masked_scores(q_block, k_seen, segments[:, :end]) - lse[block])
        dprobs = _scores(dout_block, v_seen)
        dscores = probs * (dprobs - inner[block]) * q.shape[-1] ** -0.5
        dqs.append(_mix(dscores, k_seen).astype(q.dtype))
        rest = ((0, 0), (0, 0), (0, k.shape[2] - end), (0, 0))
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
    scale = e**-0.5
    own_len = suffix[0].shape[1]
    last_nst = suffix_len_ns[:, :, None] + jnp.arange(t)
    mask_nstm = jnp.arange(own_len) <= last_nst[..., None]
    own_k, own_v = (part.reshape(n * s, k, own_len, e) for part in suffix)
    own = _scores(q_nskgte.reshape(n * s, k, g, t, e), own_k).reshape(n, s, k, g, t, own_len) * scale
    own = jnp.where(mask_nstm[:, :, None, None], own, MASKED)
    top = own.max(-1)
    prefix_len = prefix[0].shape[1]
    if prefix_len:
        prefix_k, prefix_v = (part.reshape(n, k, prefix_len, e) for part in prefix)
        q_nksgte = q_nskgte.transpose(0, 2, 1, 3, 4, 5).reshape(n, k, s * g, t, e)
        shared = _scores(q_nksgte, prefix_k).reshape(n, k, s, g, t, prefix_len) * scale
        seen = jnp.arange(prefix_len) < prefix_len_n[:, None]
        shared = jnp.where(seen[:, None, None, None, None], shared, MASKED)
        top = jnp.maximum(top, shared.max(-1).transpose(0, 2, 1, 3, 4))
    exps = jnp.exp(own - top[..., None])
    total = exps.sum(-1)
    mixed = _mix(exps.reshape(n * s, k, g, t, own_len), own_v).reshape(n, s, k, g, t, e)
    if prefix_len:
        exps = jnp.exp(shared - top.transpose(0, 2, 1, 3, 4)[..., None])
        total = total + exps.sum(-1).transpose(0, 2, 1, 3, 4)
        part = _mix(exps.reshape(n, k, s * g, t, prefix_len), prefix_v).reshape(n, k, s, g, t, e)
        mixed = mixed + part.transpose(0, 2, 1, 3, 4, 5)
    return (mixed / total[..., None]).astype(q_nskgte.dtype)


def _scores(q_rkgle: jax.Array, k_rkme: jax.Array) -> jax.Array:
    r, k, g, length, e = q_rkgle.shape
    q, keys = q_rkgle.reshape(r * k, g * length, e), k_rkme.reshape(r * k, -1, e)
    scores = jnp.einsum("xqe,xme->xqm", q, keys, preferred_element_type=jnp.float32)
    return scores.reshape(r, k, g, length, -1)


def _mix(probs_rkglm: jax.Array, v_rkme: jax.Array) -> jax.Array:
    r, k, g, length, m = probs_rkglm.shape
    probs = probs_rkglm.reshape(r * k, g * length, m).astype(v_rkme.dtype)
    values = v_rkme.reshape(r * k, m, -1)
    return jnp.einsum("xqm,xme->xqe", probs, values, preferred_element_type=jnp.float32).reshape(r, k, g, length, -1)


def _mix_queries(probs_rkglm: jax.Array, q_rkgle: jax.Array) -> jax.Array:
    """Sum what the queries hand to each key, [r, k, m, e] in float32."""
    r, k, g, length, m = probs_rkglm.shape
    probs = probs_rkglm.reshape(r * k, g * length, m).astype(q_rkgle.dtype)
    queries = q_rkgle.reshape(r * k, g * length, -1)
    return jnp.einsum("xqm,xqe->xme", probs, queries, preferred_element_type=jnp.float32).reshape(r, k, m, -1)
