"""Read `<<EXPR=` byte by byte and evaluate EXPR exactly, for many slots at once."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from procsup_jax.decode.calculator import rational, uint64
from procsup_jax.decode.calculator.rational import Rational

MAX_DEPTH = 4
ALPHABET = b"0123456789.,+-*/()=< "
MAX_BYTES = 256  # as text.calculator.MAX_EXPRESSION_CHARACTERS
IDLE, OPENING, OPEN = 0, 1, 2
_NONE, _BEGIN, _FOLD, _SIGN, _PUSH, _NUMBER, _BLANK = range(7)
_NO_OPERAND, _INTEGER, _POINT, _FRACTION, _CLOSED = range(5)


class Frame(NamedTuple):
    """Hold an open parenthesis: total, plus product `*` or (`divide`) `/` the operand being read."""

    total: Rational
    product: Rational
    divide: jax.Array


class ExpressionState(NamedTuple):
    """Hold the state of each slot.

    mode: IDLE, OPENING (after one `<`), or OPEN (inside an expression); length: bytes of the expression; operand: what
    of an operand was read last; digits: how many since its start or its last comma; grouped: it has commas; value: the
    operand so far; stack: the enclosing parentheses' frames, innermost first, on axis 0.
    """

    mode: jax.Array
    length: jax.Array
    operand: jax.Array
    digits: jax.Array
    grouped: jax.Array
    depth: jax.Array
    value: Rational
    frame: Frame
    stack: Frame


def init_state(shape: tuple[int, ...]) -> ExpressionState:
    """Return idle states for slots of this shape."""
    zero, no = jnp.zeros(shape, jnp.int32), jnp.zeros(shape, bool)
    frame = _new_frame(shape)
    stack = jax.tree.map(lambda x: jnp.broadcast_to(x, (MAX_DEPTH, *shape)), frame)
    return ExpressionState(zero, zero, zero, zero, no, zero, rational.whole(0, shape), frame, stack)


def read_byte(state: ExpressionState, byte: jax.Array) -> tuple[ExpressionState, jax.Array]:
    """Return the states after one byte, and where it was the `=` of a well-formed expression.

    There `value` holds the expression's value. Whatever is malformed, too deep or too large makes a slot idle.
    """
    inside, complete = (state.mode == OPEN) & (state.length < MAX_BYTES), _complete(state)
    empty = state.operand == _NO_OPERAND
    is_ = lambda text: jnp.any(byte[..., None] == jnp.array(list(text.encode())), -1)  # noqa: E731
    closes = inside & complete & (is_("+-*/") | (is_(")") & (state.depth > 0)) | (is_("=") & (state.depth == 0)))
    # Both branches run seldom; as branches they also keep XLA from computing their chains once per field of the state.
    none = (state.frame.product, state.frame.total, jnp.zeros_like(closes))
    product, total, bad = jax.lax.cond(jnp.any(closes), lambda: _fold(state, is_("*/")), lambda: none)
    closes &= ~bad
    event = jnp.select(
        [
            is_("<") & (state.mode == OPENING),
            closes,
            inside & is_("+-") & empty,
            inside & is_("(") & empty & (state.depth < MAX_DEPTH),
            inside & is_("0123456789.,"),
            inside & is_(" ") & (empty | complete),
        ],
        [_BEGIN, _FOLD, _SIGN, _PUSH, _NUMBER, _BLANK],
        _NONE,
    )
    idle = state._replace(mode=jnp.where(is_("<"), OPENING, IDLE))
    moves = jnp.any((event != _NONE) | (state.mode != IDLE))
    after = jax.lax.cond(moves, lambda: _move(state, idle, event, byte, product, total), lambda: idle)
    return after, (event == _FOLD) & is_("=")


def _fold(state: ExpressionState, only_product: jax.Array) -> tuple[Rational, Rational, jax.Array]:
    """Return the product with the operand taken in, the total with that, and where what is needed left its range."""
    product, bad_product = rational.multiply_or_divide(state.frame.product, state.value, state.frame.divide)
    total, bad_total = rational.add(state.frame.total, product)
    return product, total, bad_product | (bad_total & ~only_product)


def _move(
    state: ExpressionState, idle: ExpressionState, event: jax.Array, byte: jax.Array, product: Rational, total: Rational
) -> ExpressionState:
    state = state._replace(length=state.length + 1)
    number, fits = _read_number(state, byte)
    after = _choose((event == _NUMBER) & fits, number, idle)
    fold, no = event == _FOLD, jnp.zeros_like(state.grouped)
    factor = (byte == ord("*")) | (byte == ord("/"))
    after = _choose(fold & factor, _next_operand(state, Frame(state.frame.total, product, byte == ord("/"))), after)
    sign = rational.whole(1, byte.shape)._replace(negative=byte == ord("-"))
    term = (byte == ord("+")) | (byte == ord("-"))
    after = _choose(fold & term, _next_operand(state, Frame(total, sign, no)), after)
    after = _choose(fold & (byte == ord(")")), _pop(state, total), after)
    after = _choose(fold & (byte == ord("=")), idle._replace(value=total), after)
    after = _choose(event == _SIGN, _flip_sign(state, byte == ord("-")), after)
    ended = jnp.where(state.operand == _NO_OPERAND, _NO_OPERAND, _CLOSED)
    after = _choose(event == _BLANK, state._replace(operand=ended), after)
    after = _choose(event == _PUSH, _push(state), after)
    return _choose(event == _BEGIN, _begin(state), after)


def _choose(where: jax.Array, a: Any, b: Any) -> Any:
    return jax.tree.map(lambda x, y: jnp.where(where, x, y), a, b)


def _new_frame(shape: tuple[int, ...]) -> Frame:
    return Frame(rational.whole(0, shape), rational.whole(1, shape), jnp.zeros(shape, bool))


def _complete(state: ExpressionState) -> jax.Array:
    """Return where the operand may end: after all but a bare point and an unfinished group of thousands."""
    integer = (state.operand == _INTEGER) & (~state.grouped | (state.digits == 3))
    return (state.operand >= _FRACTION) | integer


def _next_operand(state: ExpressionState, frame: Frame) -> ExpressionState:
    """Return the states that expect an operand next, in this frame."""
    zero, no = jnp.zeros_like(state.mode), jnp.zeros_like(state.grouped)
    nothing = rational.whole(0, state.mode.shape)
    return state._replace(operand=zero, digits=zero, grouped=no, value=nothing, frame=frame)


def _begin(state: ExpressionState) -> ExpressionState:
    begun = _next_operand(state, _new_frame(state.mode.shape))
    zero = jnp.zeros_like(state.mode)
    return begun._replace(mode=zero + OPEN, length=zero, depth=zero)


def _flip_sign(state: ExpressionState, minus: jax.Array) -> ExpressionState:
    product = state.frame.product
    product = product._replace(negative=product.negative ^ minus)
    return state._replace(frame=state.frame._replace(product=product))


def _push(state: ExpressionState) -> ExpressionState:
    stack = jax.tree.map(lambda f, s: jnp.concatenate([f[None], s[:-1]]), state.frame, state.stack)
    return _next_operand(state, _new_frame(state.mode.shape))._replace(stack=stack, depth=state.depth + 1)


def _pop(state: ExpressionState, total: Rational) -> ExpressionState:
    frame = jax.tree.map(lambda s: s[0], state.stack)
    stack = jax.tree.map(lambda s: jnp.concatenate([s[1:], s[:1]]), state.stack)
    closed = jnp.full_like(state.operand, _CLOSED)
    return state._replace(operand=closed, value=total, frame=frame, stack=stack, depth=state.depth - 1)


def _read_number(state: ExpressionState, byte: jax.Array) -> tuple[ExpressionState, jax.Array]:
    """Return the states after a digit, point or comma, and where it continues the number within range."""
    in_fraction = (state.operand == _POINT) | (state.operand == _FRACTION)
    empty, integer = state.operand == _NO_OPERAND, state.operand == _INTEGER
    is_digit = byte >= ord("0")
    num, over_num = uint64.times_ten_plus(state.value.num, jnp.where(is_digit, byte - ord("0"), 0))
    den, over_den = uint64.times_ten_plus(state.value.den, jnp.zeros_like(byte))
    value = state.value._replace(num=num, den=uint64.select(in_fraction, den, state.value.den))
    takes_digit = is_digit & (state.operand != _CLOSED) & ~over_num & ~(in_fraction & over_den)
    point = (byte == ord(".")) & (empty | (integer & _complete(state)))
    comma = (byte == ord(",")) & integer & jnp.where(state.grouped, state.digits == 3, state.digits <= 3)
    after = state._replace(
        operand=jnp.where(point & empty, _POINT, jnp.where(point | in_fraction, _FRACTION, _INTEGER)),
        digits=jnp.where(takes_digit, state.digits + 1, 0),
        grouped=jnp.where(point, False, state.grouped | comma),
        value=rational.select(takes_digit, value, state.value),
    )
    return after, takes_digit | point | comma
