"""The calculator inside the decoding loop: once `<<EXPR=` is written, force the value's tokens and `>>`.

The paper's calculator (Cobbe et al. 2021), evaluated in the graph while the expression is being written, one byte at a
time, in 64-bit fractions. It agrees with `text.calculator` on every expression or abstains, that is, forces nothing: on
anything malformed, nested deeper than `expression.MAX_DEPTH`, beyond its integers, or without a finite decimal of at
most `rational.FRACTION_DIGITS` digits after the point.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from procsup_jax.decode.calculator import expression, rational, writing
from procsup_jax.decode.calculator.expression import ExpressionState
from procsup_jax.decode.calculator.tables import CalculatorTables


class CalculatorState(NamedTuple):
    """Hold the state of each slot: what it reads, and queue_f, the tokens still to be forced (-1: none)."""

    reading: ExpressionState
    queue_f: jax.Array


def init_state(shape: tuple[int, ...]) -> CalculatorState:
    """Return idle calculators for slots of this shape."""
    return CalculatorState(expression.init_state(shape), jnp.full((*shape, writing.MAX_TOKENS), -1, jnp.int32))


def reset(state: CalculatorState, where: jax.Array) -> CalculatorState:
    """Make the calculators idle where true."""
    mode = jnp.where(where, expression.IDLE, state.reading.mode)
    return CalculatorState(state.reading._replace(mode=mode), jnp.where(where[..., None], -1, state.queue_f))


def force(state: CalculatorState, tokens: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the forced token where there is one and `tokens` elsewhere, and where it was forced."""
    forced = jnp.max(jnp.where(_first(state.queue_f), state.queue_f, -1), -1)
    return jnp.where(forced >= 0, forced, tokens), forced >= 0


def _first(queue_f: jax.Array) -> jax.Array:
    index = jnp.arange(writing.MAX_TOKENS)
    return index == jnp.min(jnp.where(queue_f >= 0, index, writing.MAX_TOKENS), -1, keepdims=True)


def advance(tables: CalculatorTables, state: CalculatorState, tokens: jax.Array) -> CalculatorState:
    """Take in the token that each slot has written, forced or not."""
    queue_f = jnp.where(_first(state.queue_f), -1, state.queue_f)
    kinds = tables.kind_v[tokens]
    stays_idle = (state.reading.mode == expression.IDLE) & ~tables.wakes_c[kinds]
    lens = jnp.where(stays_idle, 0, tables.len_c[kinds])

    def read(i: jax.Array, carry: tuple[ExpressionState, jax.Array]) -> tuple[ExpressionState, jax.Array]:
        reading, done = carry
        after, equals = expression.read_byte(reading, tables.bytes_cm[kinds, i])
        here = i < lens
        reading = jax.tree.map(lambda a, b: jnp.where(here, a, b), after, reading)
        return reading, done | (here & equals & (i == lens - 1))

    start = (state.reading, jnp.zeros(tokens.shape, bool))
    reading, done = jax.lax.fori_loop(0, jnp.max(lens), read, start)
    return CalculatorState(
        reading, jax.lax.cond(jnp.any(done), lambda: _fill(tables, reading, done, queue_f), lambda: queue_f)
    )


def _fill(tables: CalculatorTables, reading: ExpressionState, done: jax.Array, queue_f: jax.Array) -> jax.Array:
    """Queue the values of the expressions that are done; the other slots' numbers would only take time."""
    value = rational.select(done, reading.value, rational.whole(0, done.shape))
    return jnp.where(done[..., None], writing.write(tables.writer, value), queue_f)
