import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from procsup_jax.decode.calculator import uint64

LIMIT = 2**64
# Numbers of every size, and those next to where words and carries change.
NUMBERS = st.integers(0, 64).flatmap(lambda bits: st.integers(0, 2**bits - 1)) | st.sampled_from(
    [0, 1, 2**16 - 1, 2**16, 2**32 - 1, 2**32, 2**33 - 1, 2**48, LIMIT - 2**32, LIMIT - 2, LIMIT - 1]
)
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=32, max_size=32)


def to_u64(values):
    words = np.array([(v >> 32, v & 0xFFFFFFFF) for v in values], np.uint32)
    return uint64.U64(jnp.asarray(words[:, 0]), jnp.asarray(words[:, 1]))


def to_ints(value):
    return [(int(hi) << 32) | int(lo) for hi, lo in zip(value.hi, value.lo, strict=True)]


add, multiply, divide, less = map(jax.jit, (uint64.add, uint64.multiply, uint64.divide, uint64.less))
times_ten_plus = jax.jit(uint64.times_ten_plus)


@given(PAIRS)
def test_add_multiply_and_compare_are_those_of_integers(pairs):
    a, b = (to_u64(column) for column in zip(*pairs, strict=True))
    for function, exact in ((add, lambda x, y: x + y), (multiply, lambda x, y: x * y)):
        result, overflow = function(a, b)
        wanted = [exact(x, y) for x, y in pairs]
        assert overflow.tolist() == [w >= LIMIT for w in wanted]
        assert all(got == want for got, want in zip(to_ints(result), wanted, strict=True) if want < LIMIT)
    assert less(a, b).tolist() == [x < y for x, y in pairs]


@given(PAIRS)
def test_division_is_exact(pairs):
    pairs = [(x, max(y, 1)) for x, y in pairs]
    quotient, rest, exact = divide(*(to_u64(column) for column in zip(*pairs, strict=True)))
    assert all(exact.tolist())
    assert list(zip(to_ints(quotient), to_ints(rest), strict=True)) == [divmod(x, y) for x, y in pairs]


def test_division_by_zero_is_not_exact():
    _, _, exact = divide(to_u64([0, 5, LIMIT - 1]), to_u64([0, 0, 0]))
    assert exact.tolist() == [False] * 3


@given(st.lists(NUMBERS, min_size=32, max_size=32), st.integers(0, 9))
def test_a_digit_is_appended_or_refused(numbers, digit):
    result, refused = times_ten_plus(to_u64(numbers), jnp.full(32, digit))
    for number, got, no in zip(numbers, to_ints(result), refused.tolist(), strict=True):
        assert got == 10 * number + digit if not no else number >= LIMIT // 10 - 2**32
