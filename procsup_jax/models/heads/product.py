"""A solution read as a product: correct so far if no token so far was a mistake.

P(correct so far) = prod_t (1 - sigmoid(m_t)), over the solution's tokens. The logit m_t of "token t is a mistake" is
linear in the hidden state at t and in how much the token surprised this very model. A trunk that is just deep enough to
predict a token has no layers left to compare its prediction with the token that came; the surprise is that comparison.
The labels of step ends train all of it, the trunk's predictions included (a language model's log-probabilities as a
process reward: cf. Yuan et al. 2024, "Free process rewards without process labels").

In a cache it keeps of each position the hidden state and log P so far.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from procsup_jax.models import trees
from procsup_jax.models.chunks import MAX_LOGITS, map_chunks
from procsup_jax.models.config import ModelConfig
from procsup_jax.models.layers import Params, logits, unembedding

# What each token is read by, in nats; a value v becomes tanh(v / scale) for each of its scales: its surprise
# -log p(token), from "not quite certain" to "out of the question"; how far log p lies under the most probable token's;
# the entropy of the prediction.
SURPRISE_SCALES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
SHORTFALL_SCALES = (0.3, 3.0)
ENTROPY_SCALES = (0.1, 1.0)
# Before training every token is a mistake with probability 0.018.
PRIOR_LOGIT = -4.0
# The weights start at zero, and a fine-tuning rate that suits the trunk is too low for them by about this much.
GAIN = 300.0
# Log-probabilities above it are told apart no more; keeps the logit below 14.
_MAX_LOG_PROB = -1e-6


@dataclasses.dataclass(frozen=True)
class ProductHead:
    """Read P(correct so far) = prod_t (1 - P(token t is a mistake)).

    Its parameter is one vector: a weight a hidden unit, one a scale, a bias.
    """

    kind: ClassVar[str] = "product"

    def init_params(self, config: ModelConfig, key: jax.Array) -> Any:
        """Return weights of zero."""
        size = config.d_model + len(SURPRISE_SCALES) + len(SHORTFALL_SCALES) + len(ENTROPY_SCALES) + 1
        return jnp.zeros(size, jnp.dtype(config.param_dtype))

    def param_axes(self, config: ModelConfig) -> Any:
        """Return the vector's axis, which is never cut."""
        return (None,)

    def read(
        self,
        config: ModelConfig,
        params: Params,
        states_bld: jax.Array,
        tokens_bl: jax.Array,
        positions_bl: jax.Array,
        solution_bl: jax.Array,
    ) -> jax.Array:
        """Read packed rows; tokens that are no solution's are no mistakes."""
        before_bld = jnp.pad(states_bld[:, :-1], ((0, 0), (1, 0), (0, 0)))
        safe_bl = _log_safe(config, params, states_bld, before_bld, tokens_bl) * solution_bl
        sum_bl = jnp.cumsum(safe_bl, 1)
        # What the documents before contribute.
        start_bl = jnp.maximum(jnp.arange(sum_bl.shape[1]) - positions_bl, 0)
        return _to_logit(sum_bl - jnp.take_along_axis(sum_bl - safe_bl, start_bl, 1))

    def read_trees(
        self, config: ModelConfig, params: Params, states_bld: jax.Array, tokens_bl: jax.Array, grown: trees.Trees
    ) -> jax.Array:
        """Read trees."""
        before_bld = trees.take(states_bld, grown.parent_bl)
        safe_bl = _log_safe(config, params, states_bld, before_bld, tokens_bl)
        # Summed branch by branch: a sum over all of them would round by their number.
        return _to_logit(jnp.cumsum(trees.take(safe_bl, grown.branch_brt), 2))

    def cache_width(self, config: ModelConfig) -> int:
        """Return the size of a hidden state and a sum."""
        return config.d_model + 1

    def start_cache(self, states_npd: jax.Array) -> jax.Array:
        """Return the hidden states, and sums of zero."""
        return jnp.pad(states_npd.astype(jnp.float32), ((0, 0), (0, 0), (0, 1)))

    def extend(
        self, config: ModelConfig, params: Params, states_rtd: jax.Array, tokens_rt: jax.Array, last_r1x: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Read new tokens."""
        before_rtd = jnp.concatenate([last_r1x[..., :-1].astype(states_rtd.dtype), states_rtd[:, :-1]], 1)
        sum_rt = last_r1x[..., -1] + jnp.cumsum(_log_safe(config, params, states_rtd, before_rtd, tokens_rt), 1)
        return _to_logit(sum_rt), jnp.concatenate([states_rtd.astype(jnp.float32), sum_rt[..., None]], -1)

    def num_logit_rows(self, config: ModelConfig, rows: int, length: int) -> int:
        """Return as many as are made in one piece."""
        return rows * max(1, min(length, MAX_LOGITS // config.vocab_size))


def _log_safe(
    config: ModelConfig, params: Params, states_bld: jax.Array, before_bld: jax.Array, tokens_bl: jax.Array
) -> jax.Array:
    """Return log(1 - sigmoid(m)) of every token, given the hidden states at it and before it."""
    features_bls = _features(config, unembedding(config, params), before_bld, tokens_bl)
    features = jnp.concatenate([states_bld.astype(jnp.float32), features_bls, jnp.ones_like(features_bls[..., :1])], -1)
    return -jax.nn.softplus(PRIOR_LOGIT + GAIN * jnp.sum(features * params["head"].astype(jnp.float32), -1))


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
