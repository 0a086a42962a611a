"""The calculator inside the decoding loop: once `<<EXPR=` is written, force the value's tokens and `>>`.

The paper's calculator (Cobbe et al. 2021), evaluated in the graph while the expression is being written, one byte at a
time, in 64-bit fractions. It agrees with `text.calculator` on every expression or abstains, that is, forces nothing: on
anything malformed, nested deeper than `expression.MAX_DEPTH`, beyond its integers, or without a finite decimal of at
most `rational.FRACTION_DIGITS` digits after the point.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from procsup_jax.decode.calculator import expression, rational
from procsup_jax.decode.calculator.expression import ExpressionState
from procsup_jax.errors import UserError

_MAX_TOKEN_BYTES = 16
_RESET = 0  # stands for any byte that no expression holds
_QUEUE_LEN = 1 + rational.INTEGER_DIGITS + 1 + rational.FRACTION_DIGITS + 2


class TokenText(Protocol):
    """What a vocabulary offers the calculator."""

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text."""

    def token_bytes(self) -> list[bytes]:
        """Return the bytes each id stands for."""


class CalculatorTables(NamedTuple):
    """Hold what the calculator knows of a vocabulary.

    bytes_vm, lens_v: the bytes of each token that can matter, and how many; wakes_v: 1 where a `<` is among them;
    digit_ids: the tokens of 0 to 9; point_id, minus_id; close_ids: two tokens that write `>>`, the second -1 where one
    does.
    """

    bytes_vm: jax.Array
    lens_v: jax.Array
    wakes_v: jax.Array
    digit_ids: jax.Array
    point_id: jax.Array
    minus_id: jax.Array
    close_ids: jax.Array


class CalculatorState(NamedTuple):
    """Hold the state of each slot: what it reads, and queue_f, the tokens still to be forced (-1: none)."""

    reading: ExpressionState
    queue_f: jax.Array


def make_tables(vocab: TokenText) -> CalculatorTables:
    """Build a vocabulary's tables; raise UserError where it cannot write a number one character a token."""
    token_bytes = vocab.token_bytes()
    ids = {text: vocab.encode(text) for text in (*"0123456789.-", ">>")}
    for text, written in ids.items():
        if b"".join(token_bytes[i] for i in written) != text.encode() or len(written) > len(text):
            raise UserError(
                f"the vocabulary writes {text!r} as {[token_bytes[i] for i in written]}, but the calculator needs "
                "digits, point and minus as single tokens: use a procsup vocabulary, or decode with calculator=False"
            )
    digits = [ids[c][0] for c in "0123456789"]
    return _tables(token_bytes, digits, ids["."][0], ids["-"][0], (ids[">>"] + [-1])[:2])


def _tables(token_bytes: list[bytes], digits: list[int], point: int, minus: int, close: list[int]) -> CalculatorTables:
    short = [_shorten(data) for data in token_bytes]
    lens_v = np.array([len(data) for data in short])
    bytes_vm = np.zeros((len(short), max(1, lens_v.max(initial=1))))
    for row, data in zip(bytes_vm, short, strict=True):
        row[: len(data)] = list(data)
    wakes_v = [b"<" in data for data in short]
    return CalculatorTables(
        *(jnp.asarray(a, jnp.int32) for a in (bytes_vm, lens_v, wakes_v, digits, point, minus, close))
    )


def _shorten(data: bytes) -> bytes:
    """Replace everything up to the last byte that no expression holds by one reset."""
    last = max((i for i, byte in enumerate(data) if byte not in expression.ALPHABET), default=-1)
    tail = data[last + 1 :]
    if len(tail) >= _MAX_TOKEN_BYTES:
        return bytes([_RESET])
    return tail if last < 0 else bytes([_RESET]) + tail


def init_state(shape: tuple[int, ...]) -> CalculatorState:
    """Return idle calculators for slots of this shape."""
    return CalculatorState(expression.init_state(shape), jnp.full((*shape, _QUEUE_LEN), -1, jnp.int32))


def reset(state: CalculatorState, where: jax.Array) -> CalculatorState:
    """Make the calculators idle where true."""
    mode = jnp.where(where, expression.IDLE, state.reading.mode)
    return CalculatorState(state.reading._replace(mode=mode), jnp.where(where[..., None], -1, state.queue_f))


def force(state: CalculatorState, tokens: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the forced token where there is one and `tokens` elsewhere, and where it was forced."""
    forced = jnp.max(jnp.where(_first(state.queue_f), state.queue_f, -1), -1)
    return jnp.where(forced >= 0, forced, tokens), forced >= 0


def _first(queue_f: jax.Array) -> jax.Array:
    index = jnp.arange(_QUEUE_LEN)
    return index == jnp.min(jnp.where(queue_f >= 0, index, _QUEUE_LEN), -1, keepdims=True)


def advance(tables: CalculatorTables, state: CalculatorState, tokens: jax.Array) -> CalculatorState:
    """Take in the token that each slot has written, forced or not."""
    queue_f = jnp.where(_first(state.queue_f), -1, state.queue_f)
    stays_idle = (state.reading.mode == expression.IDLE) & (tables.wakes_v[tokens] == 0)
    lens = jnp.where(stays_idle, 0, tables.lens_v[tokens])

    def read(i: jax.Array, carry: tuple[ExpressionState, jax.Array]) -> tuple[ExpressionState, jax.Array]:
        reading, done = carry
        after, equals = expression.read_byte(reading, tables.bytes_vm[tokens, i])
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
    return jnp.where(done[..., None], _value_tokens(tables, value), queue_f)


def _value_tokens(tables: CalculatorTables, value: rational.Rational) -> jax.Array:
    """Return the tokens of the values' shortest plain decimals and `>>`, among -1; all -1 where not exact."""
    integer, fraction, exact = rational.decimal_digits(value)
    started = jnp.cumsum(integer, -1) > 0
    started = started.at[..., -1].set(True)
    trailing = jnp.cumsum(fraction[..., ::-1], -1)[..., ::-1] > 0
    nonzero = jnp.any(integer > 0, -1) | jnp.any(fraction > 0, -1)
    one = lambda keep, token: jnp.where(keep, token, -1)[..., None]  # noqa: E731
    tokens = [
        one(value.negative & nonzero, tables.minus_id),
        jnp.where(started, tables.digit_ids[integer], -1),
        one(trailing[..., 0], tables.point_id),
        jnp.where(trailing, tables.digit_ids[fraction], -1),
        jnp.broadcast_to(tables.close_ids, (*exact.shape, 2)),
    ]
    return jnp.where(exact[..., None], jnp.concatenate(tokens, -1), -1)


def forced_values(expressions: Sequence[bytes], *, chunk: int = 4096) -> list[str | None]:
    """Return for each expression the value the graph forces after `<<EXPR=`, None where it abstains."""
    values: list[str | None] = [None] * len(expressions)
    # With a bracket or an equals sign in it, or longer, a line is no expression. Like lengths go together.
    usable = [i for i, e in enumerate(expressions) if len(e) <= expression.MAX_BYTES and not set(e) & set(b"<>=")]
    usable.sort(key=lambda i: len(expressions[i]))
    for start in range(0, len(usable), chunk):
        part = usable[start : start + chunk]
        tokens_bl = np.zeros((chunk, expression.MAX_BYTES + 3), np.int32)
        last_b = np.zeros(chunk, np.int32)
        for row, i in enumerate(part):
            written = b"<<" + expressions[i] + b"="
            tokens_bl[row, : len(written)] = list(written)
            last_b[row] = len(written) - 1
        queues = np.asarray(_queues(jnp.asarray(tokens_bl), jnp.asarray(last_b)))
        for i, queue in zip(part, queues, strict=False):
            values[i] = bytes(queue[queue >= 0].tolist()).decode()[:-2] or None
    return values


@jax.jit
def _queues(tokens_bl: jax.Array, last_b: jax.Array) -> jax.Array:
    """Return what is queued right after the token at `last_b`; here a token is a byte."""
    tables = _tables([bytes([i]) for i in range(256)], list(b"0123456789"), ord("."), ord("-"), list(b">>"))

    def step(i: jax.Array, carry: tuple[CalculatorState, jax.Array]) -> tuple[CalculatorState, jax.Array]:
        state, queues = carry
        state = advance(tables, state, tokens_bl[:, i])
        return state, jnp.where((i == last_b)[:, None], state.queue_f, queues)

    state = init_state(last_b.shape)
    return jax.lax.fori_loop(0, jnp.max(last_b) + 1, step, (state, state.queue_f))[1]
