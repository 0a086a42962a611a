"""Exact fractions of 64-bit integers in the graph, unreduced; every operation says where it left its range."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from procsup_jax.decode.calculator import uint64
from procsup_jax.decode.calculator.uint64 import U64

INTEGER_DIGITS = 20
FRACTION_DIGITS = 12


class Rational(NamedTuple):
    """Hold (-1)**negative * num / den, elementwise; den > 0."""

    num: U64
    den: U64
    negative: jax.Array


def whole(value: int, shape: tuple[int, ...] = ()) -> Rational:
    """Return the non-negative integer `value` in every element."""
    return Rational(uint64.constant(value, shape), uint64.constant(1, shape), jnp.zeros(shape, bool))


def select(where: jax.Array, a: Rational, b: Rational) -> Rational:
    """Return `a` where true and `b` elsewhere."""
    return jax.tree.map(lambda x, y: jnp.where(where, x, y), a, b)


def multiply_or_divide(a: Rational, b: Rational, divide: jax.Array) -> tuple[Rational, jax.Array]:
    """Return a / b where `divide`, else a * b; and where that overflowed or divided by 0."""
    num, over_num = uint64.multiply(a.num, uint64.select(divide, b.den, b.num))
    den, over_den = uint64.multiply(a.den, uint64.select(divide, b.num, b.den))
    bad = over_num | over_den | uint64.is_zero(den)
    den = uint64.select(uint64.is_zero(num) & ~bad, uint64.constant(1, a.den.hi.shape), den)
    return Rational(num, den, a.negative ^ b.negative), bad


def add(a: Rational, b: Rational) -> tuple[Rational, jax.Array]:
    """Return a + b, and where it overflowed."""
    one = uint64.constant(1, a.den.hi.shape)
    same = (a.den.hi == b.den.hi) & (a.den.lo == b.den.lo)
    a_num, over_a = uint64.multiply(a.num, uint64.select(same, one, b.den))
    b_num, over_b = uint64.multiply(b.num, uint64.select(same, one, a.den))
    den, over_den = uint64.multiply(a.den, uint64.select(same, one, b.den))
    total, over_total = uint64.add(a_num, b_num)
    b_is_larger = uint64.less(a_num, b_num)
    difference = uint64.subtract(uint64.select(b_is_larger, b_num, a_num), uint64.select(b_is_larger, a_num, b_num))
    like_signs = a.negative == b.negative
    num = uint64.select(like_signs, total, difference)
    negative = jnp.where(like_signs | ~b_is_larger, a.negative, b.negative)
    return Rational(num, den, negative), over_a | over_b | over_den | (like_signs & over_total)


def decimal_digits(a: Rational) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return the decimal digits of |a| and where they are exact.

    Two int32 arrays with the digits on a new last axis, most significant first: INTEGER_DIGITS before and
    FRACTION_DIGITS after the point. Not exact: a needs more fraction digits, has no finite decimal, or overflowed.
    """
    quotient, rest, exact = uint64.divide(a.num, a.den)
    thousand = uint64.constant(1000, a.den.hi.shape)

    def next_three(carry: tuple[U64, jax.Array], _: None) -> tuple[tuple[U64, jax.Array], jax.Array]:
        rest, exact = carry
        shifted, overflow = uint64.multiply(rest, thousand)
        part, rest, divided = uint64.divide(shifted, a.den)
        return (rest, exact & ~overflow & divided), part.lo

    num_parts = FRACTION_DIGITS // 3
    whole_numbers = ((rest, exact), jnp.zeros((num_parts, *exact.shape), jnp.uint32))
    (rest, exact), parts = jax.lax.cond(
        jnp.all(uint64.is_zero(rest)),
        lambda: whole_numbers,
        lambda: jax.lax.scan(next_three, (rest, exact), length=num_parts),
    )
    fraction = jnp.stack([parts // scale % 10 for scale in (100, 10, 1)], -1)
    fraction = jnp.moveaxis(fraction, 0, -2).reshape(*exact.shape, FRACTION_DIGITS)
    return _integer_digits(quotient), fraction.astype(jnp.int32), exact & uint64.is_zero(rest)


def _integer_digits(value: U64) -> jax.Array:
    """Return the INTEGER_DIGITS digits of a 64-bit integer, int32 on a new last axis, most significant first."""

    def take_four(words: tuple[jax.Array, ...], _: None) -> tuple[tuple[jax.Array, ...], jax.Array]:
        rest, quotients = jnp.zeros_like(words[0]), []
        for word in words:  # schoolbook division by 10**4, in words of 16 bits
            part = (rest << 16) | word
            quotients.append(part // 10_000)
            rest = part % 10_000
        return tuple(quotients), jnp.stack([rest // scale % 10 for scale in (1000, 100, 10, 1)], -1)

    words: tuple[jax.Array, ...] = (value.hi >> 16, value.hi & 0xFFFF, value.lo >> 16, value.lo & 0xFFFF)
    _, digits = jax.lax.scan(take_four, words, length=INTEGER_DIGITS // 4)
    digits = jnp.moveaxis(digits[::-1], 0, -2).reshape(*value.lo.shape, INTEGER_DIGITS)
    return digits.astype(jnp.int32)
