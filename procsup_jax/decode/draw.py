"""Drawing the next token of each slot: its random key, which tokens there are, and its log-probability."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from procsup_jax.decode import filters
from procsup_jax.decode.automaton import AutomatonTables
from procsup_jax.decode.calculator.tables import CalculatorTables
from procsup_jax.decode.settings import DecodeSettings


class VocabTables(NamedTuple):
    """Hold a vocabulary's tables.

    allowed_v, ends_v: which tokens may be written, and which of them end a solution; automaton: where steps end;
    calculator: None where it is off.
    """

    allowed_v: jax.Array
    ends_v: jax.Array
    automaton: AutomatonTables
    calculator: CalculatorTables | None


def token_keys(key_n2: jax.Array, sample_ng: jax.Array, index_ng: jax.Array) -> jax.Array:
    """Return the random key of each slot's next token: fold_in(fold_in(problem's key, sample), token index)."""
    fold = lambda key, sample, index: jax.random.fold_in(jax.random.fold_in(key, sample), index)  # noqa: E731
    return jax.vmap(jax.vmap(fold, (None, 0, 0)))(
        jax.random.wrap_key_data(key_n2, impl="threefry2x32"), sample_ng, index_ng
    )


def draw(
    settings: DecodeSettings,
    tables: VocabTables,
    logits_ngv: jax.Array,
    keys_ng: jax.Array,
    greedy_ng: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Return a token for each slot and its log-probability (nats) under the whole distribution at temperature 1.

    Where `greedy_ng` is true it is the likeliest one, whatever the temperature.
    """
    n, g, v = logits_ngv.shape
    logits_xv = logits_ngv.reshape(n * g, v)
    allowed_xv = jnp.where(tables.allowed_v, logits_xv, -jnp.inf)
    token_x = filters.sample(
        keys_ng.reshape(n * g),
        allowed_xv,
        temperature=settings.temperature,
        top_k=settings.top_k,
        top_p=settings.top_p,
    )
    if greedy_ng is not None:
        token_x = jnp.where(greedy_ng.reshape(n * g), filters.argmax(allowed_xv), token_x)
    return token_x.reshape(n, g), filters.log_prob(logits_xv, token_x).reshape(n, g)
