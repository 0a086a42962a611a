"""The two losses, as sums over weighted positions, so that sums over microbatches and shards are exact."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from procsup_jax.models import api

Batch = Mapping[str, jax.Array]


class Sums(NamedTuple):
    """Hold a loss as sums over positions times their weights: nats, weights, and correct predictions."""

    loss: jax.Array
    weight: jax.Array
    correct: jax.Array

    @classmethod
    def zero(cls) -> Sums:
        """Return empty sums."""
        return cls(*(jnp.zeros((), jnp.float32) for _ in range(3)))

    def __add__(self, other: tuple) -> Sums:
        return Sums(*(a + b for a, b in zip(self, other, strict=True)))

    def means(self) -> dict[str, jax.Array]:
        """Return the mean loss in nats and the accuracy, per unit of weight."""
        return {"loss": self.loss / self.weight, "accuracy": self.correct / self.weight}


LossFn = Callable[[api.Params, Batch, jax.Array | None], Sums]


def lm_sums(logits_blv: jax.Array, targets_bl: jax.Array, weights_bl: jax.Array) -> Sums:
    """Sum the cross-entropy of the target tokens.

    The target's logit is picked by a masked sum: on CPU its backward pass is several times faster than a gather's.
    """
    peak_bl = jax.lax.stop_gradient(logits_blv.max(-1))
    normaliser_bl = jnp.log(jnp.exp(logits_blv - peak_bl[..., None]).sum(-1)) + peak_bl
    is_target_blv = jnp.arange(logits_blv.shape[-1]) == targets_bl[..., None]
    target_bl = jnp.where(is_target_blv, logits_blv, 0.0).sum(-1)
    nats_bl = normaliser_bl - target_bl
    return Sums((nats_bl * weights_bl).sum(), weights_bl.sum(), ((target_bl >= peak_bl) * weights_bl).sum())


def rm_sums(logits_bl: jax.Array, targets_bl: jax.Array, weights_bl: jax.Array) -> Sums:
    """Sum the binary cross-entropy of logits of `correct` against targets from 0 to 1 (correct).

    A prediction is right on the target's side of one half, which is itself correct.
    """
    nats_bl = jax.nn.softplus(logits_bl) - targets_bl * logits_bl
    right_bl = (logits_bl > 0) == (targets_bl >= 0.5)
    return Sums((nats_bl * weights_bl).sum(), weights_bl.sum(), (right_bl * weights_bl).sum())


def lm_sums_of(
    config: api.ModelConfig,
    params: api.Params,
    hidden_bld: jax.Array,
    targets_bl: jax.Array,
    weights_bl: jax.Array,
    *,
    max_logits: int = api.MAX_LOGITS,
) -> Sums:
    """Sum the cross-entropy from hidden states.

    A row's logits are made whole up to `max_logits`, which small vocabularies never have more of: three products with
    the table. More are never made whole, for a fourth product: see `api.cross_entropy`.
    """
    if hidden_bld.shape[1] * config.vocab_size <= max_logits:
        return lm_sums(api.unembed(config, params, hidden_bld), targets_bl, weights_bl)
    nats_bl, right_bl = api.cross_entropy(config, params, hidden_bld, targets_bl)
    return Sums((nats_bl * weights_bl).sum(), weights_bl.sum(), (right_bl * weights_bl).sum())


def make_loss(config: api.ModelConfig, head: api.Head | None = None) -> LossFn:
    """Return the function from (params, batch [b, l], dropout key or None) to `Sums`.

    With a head it is a reward model's loss on step labels, without one a language model's on the next token.
    """

    def sums(params: api.Params, batch: Batch, dropout_key: jax.Array | None) -> Sums:
        inputs = params, batch["tokens"], batch["positions"], batch["segments"]
        if head is None:
            hidden_bld = api.hidden(config, *inputs, dropout_key=dropout_key)
            return lm_sums_of(config, params, hidden_bld, batch["targets"], batch["weights"])
        logits_bl = api.rm_logits(config, head, *inputs, batch["solution"], dropout_key=dropout_key)
        return rm_sums(logits_bl, batch["targets"], batch["weights"])

    return sums
