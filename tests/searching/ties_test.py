import math

import hypothesis
import pytest
from hypothesis import strategies as st

from procsup_jax.searching import ties

DECIMALS = st.lists(st.integers(0, 10**6).map(lambda unit: unit / 10**6), min_size=1, max_size=64)


@pytest.mark.parametrize(
    ("a", "b", "tie"), [(0.1 + 0.2, 0.3, True), (0.3, 0.300001, False), (0.0, 1e-300, False), (1e-9, 2e-9, False)]
)
def test_what_ties(a, b, tie):
    assert ties.tied(a, b) == ties.tied(b, a) == tie


@hypothesis.given(DECIMALS, st.randoms(use_true_random=False))
def test_sums_of_the_same_numbers_tie_in_any_order_and_grouping(values, rng):
    shuffled = rng.sample(values, len(values))
    cut = rng.randint(0, len(values))
    assert ties.tied(sum(values), sum(shuffled))
    assert ties.tied(math.fsum(values), sum(shuffled[:cut]) + sum(shuffled[cut:]))
    assert not ties.tied(math.fsum(values), math.fsum(values) + 1e-6)


def test_highest_keeps_the_order_and_levels_go_up():
    values = [0.3, 0.1, 0.1 + 0.2, 0.2, 0.1]
    assert ties.highest(range(5), values.__getitem__) == [0, 2]
    assert ties.levels(values) == [[1, 4], [3], [0, 2]]
    assert ties.levels([]) == []
