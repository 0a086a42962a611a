"""Unsigned 64-bit integers as pairs of uint32 arrays: JAX has no 64-bit integers unless x64 is on.

Operations that can leave the range return what tells so; nothing wraps unnoticed.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

# Share of a float32 quotient given up so that, with its rounding (below 2**-22), it never exceeds the true one.
_SAFETY = 1.0 - 2.0**-20
_TWO_32 = 2.0**32
# Each round takes about 19 bits off a quotient of up to 64, the last ones subtract the divisor itself.
_ROUNDS = 6


class U64(NamedTuple):
    """Hold hi * 2**32 + lo, elementwise."""

    hi: jax.Array
    lo: jax.Array


def constant(value: int, shape: tuple[int, ...] = ()) -> U64:
    """Return `value` (0 to 2**64 - 1) in every element."""
    return U64(jnp.full(shape, value >> 32, jnp.uint32), jnp.full(shape, value & 0xFFFFFFFF, jnp.uint32))


def is_zero(a: U64) -> jax.Array:
    """Return where `a` is 0."""
    return (a.hi | a.lo) == 0


def less(a: U64, b: U64) -> jax.Array:
    """Return where a < b."""
    return (a.hi < b.hi) | ((a.hi == b.hi) & (a.lo < b.lo))


def select(where: jax.Array, a: U64, b: U64) -> U64:
    """Return `a` where true and `b` elsewhere."""
    return U64(jnp.where(where, a.hi, b.hi), jnp.where(where, a.lo, b.lo))


def add(a: U64, b: U64) -> tuple[U64, jax.Array]:
    """Return a + b, and where it overflowed; there the sum means nothing."""
    lo = a.lo + b.lo
    carry = (lo < a.lo).astype(jnp.uint32)
    hi = a.hi + b.hi
    total = hi + carry
    return U64(total, lo), (hi < a.hi) | (total < hi)


def subtract(a: U64, b: U64) -> U64:
    """Return a - b, for a >= b."""
    return U64(a.hi - b.hi - (a.lo < b.lo).astype(jnp.uint32), a.lo - b.lo)


def _multiply_32(a: jax.Array, b: jax.Array) -> U64:
    """Return the whole product of two uint32 arrays, from 16-bit halves."""
    a_hi, a_lo, b_hi, b_lo = a >> 16, a & 0xFFFF, b >> 16, b & 0xFFFF
    middle = a_hi * b_lo + ((a_lo * b_lo) >> 16)  # at most 2**32 - 2**16
    cross = a_lo * b_hi + (middle & 0xFFFF)
    return U64(a_hi * b_hi + (middle >> 16) + (cross >> 16), a * b)


def multiply(a: U64, b: U64) -> tuple[U64, jax.Array]:
    """Return a * b, and where it overflowed; there the product means nothing."""
    low = _multiply_32(a.lo, b.lo)
    # One of the two high words is 0 unless the product overflows.
    a_is_long = a.hi != 0
    cross = _multiply_32(jnp.where(a_is_long, a.hi, b.hi), jnp.where(a_is_long, b.lo, a.lo))
    hi = low.hi + cross.lo
    return U64(hi, low.lo), (a_is_long & (b.hi != 0)) | (cross.hi != 0) | (hi < low.hi)


def times_ten_plus(a: U64, digit: jax.Array) -> tuple[U64, jax.Array]:
    """Return 10 a + digit, and where a is too large to try (from 2**64 / 10 on, or a little less)."""
    by_eight = U64((a.hi << 3) | (a.lo >> 29), a.lo << 3)
    by_two = U64((a.hi << 1) | (a.lo >> 31), a.lo << 1)
    units = U64(jnp.zeros_like(a.hi), digit.astype(jnp.uint32))
    return add(add(by_eight, by_two)[0], units)[0], a.hi >= 2**32 // 10


def divide(a: U64, b: U64) -> tuple[U64, U64, jax.Array]:
    """Return quotient, remainder and where they are exact (b > 0, remainder < b), found by float32 estimates.

    The remainder is updated in integers, so whatever the estimates are, an element reported exact is exact.
    """
    divisor = jnp.maximum(_to_float(b), 1.0)

    def unfinished(carry: tuple[jax.Array, U64, U64]) -> jax.Array:
        count, _, rest = carry
        return (count < _ROUNDS) & ~jnp.all(less(rest, b))

    def refine(carry: tuple[jax.Array, U64, U64]) -> tuple[jax.Array, U64, U64]:
        count, quotient, rest = carry
        ratio = jnp.maximum(jnp.floor(_to_float(rest) / divisor * _SAFETY), 1.0)
        hi = jnp.floor(ratio / _TWO_32)
        part = U64(hi.astype(jnp.uint32), (ratio - hi * _TWO_32).astype(jnp.uint32))
        product, overflow = multiply(part, b)
        fits = ~overflow & ~less(rest, product)
        rest = select(fits, subtract(rest, product), rest)
        return count + 1, select(fits, add(quotient, part)[0], quotient), rest

    zero = jnp.zeros_like(a.hi)
    _, quotient, rest = jax.lax.while_loop(unfinished, refine, (jnp.int32(0), U64(zero, zero), a))
    return quotient, rest, less(rest, b)


def _to_float(a: U64) -> jax.Array:
    return a.hi.astype(jnp.float32) * _TWO_32 + a.lo.astype(jnp.float32)
