"""A reward model that reads a solution as a product: correct so far if no token so far was a mistake.

P(correct so far) = prod_t (1 - sigmoid(m_t)), over the solution's tokens. The logit m_t of "token t is a mistake" is
linear in the hidden state at t and in how much the token surprised this very model. A trunk that is just deep enough to
predict a token has no layers left to compare its prediction with the token that came; the surprise is that comparison.
The labels of step ends train all of it, the trunk's predictions included (a language model's log-probabilities as a
process reward: cf. Yuan et al. 2024, "Free process rewards without process labels").

In a cache the reading has an entry behind the layers', whose `x` holds each position's hidden state and log P so far.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from procsup_jax.models import trees
from procsup_jax.models.cache import LayerKV, Slots, history, write
from procsup_jax.models.chunks import map_chunks
from procsup_jax.models.config import ModelConfig
from procsup_jax.models.layers import logits

# What each token is read by, in nats; a value v becomes tanh(v / scale) for each of its scales: its surprise
# -log p(token), from "not quite certain" to "out of the question"; how far log p lies under the most probable token's;
# the entropy of the prediction.
SURPRISE_SCALES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
SHORTFALL_SCALES = (0.3, 3.0)
ENTROPY_SCALES = (0.1, 1.0)
# Before training every token is a mistake with probability 0.018.
PRIOR_LOGIT = -4.0
# The reading starts at zero, and a fine-tuning rate that suits the trunk is too low for it by about this much.
GAIN = 300.0
# Log-probabilities above it are told apart no more; keeps the logit below 14.
_MAX_LOG_PROB = -1e-6


def num_weights(config: ModelConfig) -> int:
    """Return the size of the reading's one parameter: a weight a hidden unit, one a scale, a bias."""
    return config.d_model + len(SURPRISE_SCALES) + len(SHORTFALL_SCALES) + len(ENTROPY_SCALES) + 1


def read(
    config: ModelConfig,
    weights: jax.Array,
    table_vd: jax.Array,
    hidden_bld: jax.Array,
    tokens_bl: jax.Array,
    positions_bl: jax.Array,
    solution_bl: jax.Array,
) -> jax.Array:
    """Return logit P(correct so far), float32 [b, l], at every position of packed rows (see `api.hidden`).

    `solution_bl` is 1 on the tokens that may be mistakes and 0 on the prompt's and on padding.
    """
    before_bld = jnp.pad(hidden_bld[:, :-1], ((0, 0), (1, 0), (0, 0)))
    safe_bl = _log_safe(config, weights, table_vd, hidden_bld, before_bld, tokens_bl) * solution_bl
    sum_bl = jnp.cumsum(safe_bl, 1)
    # What the documents before contribute.
    start_bl = jnp.maximum(jnp.arange(sum_bl.shape[1]) - positions_bl, 0)
    return _to_logit(sum_bl - jnp.take_along_axis(sum_bl - safe_bl, start_bl, 1))


def start_cache(hidden_npd: jax.Array) -> LayerKV:
    """Return the reading's part of a cache that holds prompts alone."""
    states = hidden_npd.astype(jnp.float32)
    return LayerKV((), (), (jnp.pad(states, ((0, 0), (0, 0), (0, 1))),))


def extend(
    config: ModelConfig,
    weights: jax.Array,
    table_vd: jax.Array,
    hidden_rtd: jax.Array,
    tokens_rt: jax.Array,
    slots: Slots,
    prefix: LayerKV,
    suffix: LayerKV,
) -> tuple[jax.Array, LayerKV]:
    """Read t new tokens of each slot, all of the solution; return logit P [r, t] and the suffix with them written."""
    last_r1x = history(prefix, suffix, slots, 1)
    before_rtd = jnp.concatenate([last_r1x[..., :-1].astype(hidden_rtd.dtype), hidden_rtd[:, :-1]], 1)
    sum_rt = last_r1x[..., -1] + jnp.cumsum(_log_safe(config, weights, table_vd, hidden_rtd, before_rtd, tokens_rt), 1)
    new = jnp.concatenate([hidden_rtd.astype(jnp.float32), sum_rt[..., None]], -1)
    return _to_logit(sum_rt), write(suffix, LayerKV((), (), (new,)), slots.suffix_len_ns.reshape(-1))


def read_trees(
    config: ModelConfig,
    weights: jax.Array,
    table_vd: jax.Array,
    hidden_bld: jax.Array,
    tokens_bl: jax.Array,
    grown: trees.Trees,
) -> jax.Array:
    """Return logit P(correct so far), float32 [b, r, t], at the tokens of branches, all of them a solution's."""
    before_bld = trees.take(hidden_bld, grown.parent_bl)
    safe_bl = _log_safe(config, weights, table_vd, hidden_bld, before_bld, tokens_bl)
    # Summed branch by branch: a sum over all of them would round by their number.
    return _to_logit(jnp.cumsum(trees.take(safe_bl, grown.branch_brt), 2))


def _log_safe(
    config: ModelConfig,
    weights: jax.Array,
    table_vd: jax.Array,
    hidden_bld: jax.Array,
    before_bld: jax.Array,
    tokens_bl: jax.Array,
) -> jax.Array:
    """Return log(1 - sigmoid(m)) of every token, given the hidden states at it and before it."""
    features_bls = _features(config, table_vd, before_bld, tokens_bl)
    features = jnp.concatenate([hidden_bld.astype(jnp.float32), features_bls, jnp.ones_like(features_bls[..., :1])], -1)
    return -jax.nn.softplus(PRIOR_LOGIT + GAIN * jnp.sum(features * weights.astype(jnp.float32), -1))


def _features(config: ModelConfig, table_vd: jax.Array, before_bld: jax.Array, tokens_bl: jax.Array) -> jax.Array:
    """Return what the prediction before each token says of it, [b, l, s]."""

    def one(before_btd: jax.Array, tokens_bt: jax.Array) -> jax.Array:
        logprob_xv = jax.nn.log_softmax(logits(before_btd.reshape(-1, before_btd.shape[-1]), table_vd))
        # A masked sum: on CPU its backward pass is several times faster than a gather's.
        is_token_xv = jnp.arange(logprob_xv.shape[-1]) == tokens_bt.reshape(-1, 1)
        logprob_x = jnp.where(is_token_xv, logprob_xv, 0.0).sum(-1)
        entropy_x = -(jnp.exp(logprob_xv) * logprob_xv).sum(-1)
        values = (
            (-logprob_x, SURPRISE_SCALES), (logprob_xv.max(-1) - logprob_x, SHORTFALL_SCALES),
            (entropy_x, ENTROPY_SCALES),
        )  # fmt: skip
        features = [jnp.tanh(value_x / scale) for value_x, scales in values for scale in scales]
        return jnp.stack(features, -1).reshape(*tokens_bt.shape, -1)

    features_cbts = map_chunks(one, config.vocab_size, before_bld, tokens_bl)
    return jnp.moveaxis(features_cbts, 0, 1).reshape(*tokens_bl.shape, -1)


def _to_logit(log_prob: jax.Array) -> jax.Array:
    log_prob = jnp.minimum(log_prob, _MAX_LOG_PROB)
    return log_prob - jnp.log(-jnp.expm1(log_prob))
