from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from procsup_jax.decode.calculator import rational, uint64
from procsup_jax.text import calculator as exact

PARTS = st.integers(0, 40).flatmap(lambda bits: st.integers(0, 2**bits))
FRACTIONS = st.lists(
    st.tuples(st.tuples(PARTS, PARTS, st.booleans()), st.tuples(PARTS, PARTS, st.booleans())), min_size=16, max_size=16
)


def to_rational(triples):
    def words(values):
        pairs = np.array([(v >> 32, v & 0xFFFFFFFF) for v in values], np.uint32)
        return uint64.U64(jnp.asarray(pairs[:, 0]), jnp.asarray(pairs[:, 1]))

    nums, dens, signs = zip(*triples, strict=True)
    return rational.Rational(words(nums), words([d + 1 for d in dens]), jnp.array(signs))


def to_fractions(value):
    word = lambda a: [(int(h) << 32) | int(x) for h, x in zip(a.hi, a.lo, strict=True)]  # noqa: E731
    triples = zip(word(value.num), word(value.den), value.negative.tolist(), strict=True)
    return [Fraction(-num if negative else num, den) for num, den, negative in triples]


add, digits = jax.jit(rational.add), jax.jit(rational.decimal_digits)
multiply_or_divide = jax.jit(rational.multiply_or_divide)


@given(FRACTIONS)
def test_operations_are_exact_or_say_so(pairs):
    a, b = (to_rational(column) for column in zip(*pairs, strict=True))
    exact_a, exact_b = to_fractions(a), to_fractions(b)
    total, bad = add(a, b)
    for got, x, y, no in zip(to_fractions(total), exact_a, exact_b, bad.tolist(), strict=True):
        assert no or got == x + y
    for divide in (True, False):
        result, bad = multiply_or_divide(a, b, jnp.full(16, divide))
        dens = np.asarray(result.den.hi) | np.asarray(result.den.lo)
        for i, (x, y, no) in enumerate(zip(exact_a, exact_b, bad.tolist(), strict=True)):
            if not no:
                assert dens[i] and to_fractions(jax.tree.map(lambda v, i=i: v[i : i + 1], result)) == [
                    x / y if divide else x * y
                ]
            assert no or not divide or y != 0


def test_small_operations_are_never_given_up():
    pairs = [(((7, 2, False)), (3, 9, True)), ((2**31, 0, False), (2**31, 0, True))]
    a, b = (to_rational(column) for column in zip(*pairs, strict=True))
    for result, bad in (add(a, b), multiply_or_divide(a, b, jnp.array([True, False]))):
        assert not bad.any(), result


@given(st.lists(st.tuples(PARTS, st.integers(0, 2000), st.booleans()), min_size=16, max_size=16))
def test_digits_are_those_of_the_shortest_decimal(triples):
    value = to_rational(triples)
    integer, fraction, is_exact = digits(value)
    for want, before, after, fine in zip(to_fractions(value), integer, fraction, is_exact.tolist(), strict=True):
        plain = exact.format_value(abs(want))
        finite = plain is not None and len(plain.partition(".")[2]) <= rational.FRACTION_DIGITS
        assert fine == finite
        if fine:
            whole = "".join(map(str, before.tolist())).lstrip("0") or "0"
            assert f"{whole}.{''.join(map(str, after.tolist()))}".rstrip("0").rstrip(".") == plain
