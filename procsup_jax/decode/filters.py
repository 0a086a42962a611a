"""From logits to a token: temperature, top-k, top-p, and a draw that is fast on every backend."""

from __future__ import annotations

import jax
import jax.numpy as jnp

# Width of the blocks of the two-level inverse CDF: the first level sums blocks, the second looks inside one.
_BLOCK = 64


def sample(
    keys_x: jax.Array, logits_xv: jax.Array, *, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0
) -> jax.Array:
    """Draw one token a row, int32 [x], from softmax(logits / temperature) after top-k and then top-p.

    `keys_x` holds a random key for each row, so that a row's draw does not depend on the others. A token of logit
    -inf is never drawn. Temperature 0 takes the highest logit, the lowest id at ties.
    """
    if temperature == 0.0:
        return argmax(logits_xv)
    logits_xv = keep_top(logits_xv / temperature, top_k, top_p)
    uniform_x = jax.vmap(lambda key: jax.random.uniform(key))(keys_x)
    return inverse_cdf(logits_xv, uniform_x)


def keep_top(logits_xv: jax.Array, top_k: int = 0, top_p: float = 1.0) -> jax.Array:
    """Set to -inf all but the `top_k` highest logits, then all but the likeliest tokens that make up mass `top_p`.

    0 and 1 turn them off. What ties with the last one kept is kept too.
    """
    if 0 < top_k < logits_xv.shape[-1]:
        lowest = jax.lax.top_k(logits_xv, top_k)[0][..., -1:]
        logits_xv = jnp.where(logits_xv >= lowest, logits_xv, -jnp.inf)
    if top_p < 1.0:
        falling_xv = -jnp.sort(-logits_xv, -1)
        probs_xv = jax.nn.softmax(falling_xv, -1)
        mass_before_xv = jnp.cumsum(probs_xv, -1) - probs_xv
        num_kept = jnp.maximum(jnp.sum(mass_before_xv < top_p, -1, keepdims=True), 1)
        lowest = jnp.take_along_axis(falling_xv, num_kept - 1, -1)
        logits_xv = jnp.where(logits_xv >= lowest, logits_xv, -jnp.inf)
    return logits_xv


def inverse_cdf(logits_xv: jax.Array, uniform_x: jax.Array) -> jax.Array:
    """Return the token at which the cumulative probability passes `uniform_x` (in [0, 1)), int32 [x].

    Two levels, one uniform number a row: several times faster on XLA:CPU than adding Gumbel noise to every logit.
    """
    x, v = logits_xv.shape
    num_blocks = -(-v // _BLOCK)
    weights_xv = jnp.exp(logits_xv - jnp.max(logits_xv, -1, keepdims=True))
    weights = jnp.pad(weights_xv, ((0, 0), (0, num_blocks * _BLOCK - v))).reshape(x, num_blocks, _BLOCK)
    masses = weights.sum(-1)
    ends = jnp.cumsum(masses, -1)
    goal_x1 = uniform_x[:, None] * ends[:, -1:]
    block = _first_past(ends, goal_x1, masses > 0)
    start = jnp.where(block > 0, jnp.take_along_axis(ends, jnp.maximum(block - 1, 0)[:, None], 1)[:, 0], 0.0)
    inside = jnp.take_along_axis(weights, block[:, None, None], 1)[:, 0]
    return block * _BLOCK + _first_past(jnp.cumsum(inside, -1) + start[:, None], goal_x1, inside > 0)


def _first_past(ends: jax.Array, goal_x1: jax.Array, possible: jax.Array) -> jax.Array:
    """Return the first possible index whose end exceeds the goal; should rounding leave none, the last possible one."""
    ids = jnp.arange(ends.shape[-1], dtype=jnp.int32)
    first = jnp.min(jnp.where(possible & (ends > goal_x1), ids, ids.shape[0]), -1)
    last = jnp.max(jnp.where(possible, ids, 0), -1)
    return jnp.minimum(first, last)


def argmax(logits_xv: jax.Array) -> jax.Array:
    """Return the lowest index of the highest logit, int32 [x] (jnp.argmax is slow on XLA:CPU)."""
    ids = jnp.arange(logits_xv.shape[-1], dtype=jnp.int32)
    top = jnp.max(logits_xv, -1, keepdims=True)
    return jnp.min(jnp.where(logits_xv == top, ids, ids.shape[0] - 1), -1)


def log_prob(logits_xv: jax.Array, token_x: jax.Array) -> jax.Array:
    """Return log softmax(logits) of the tokens, in nats, [x]."""
    chosen = jnp.take_along_axis(logits_xv, token_x[:, None], -1)[:, 0]
    return chosen - jax.nn.logsumexp(logits_xv, -1)
