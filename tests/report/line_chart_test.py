from hypothesis import given
from hypothesis import strategies as st

from procsup_jax.report import line_chart


@given(st.lists(st.floats(0, 200), max_size=12))
def test_spread_keeps_order_and_distance(wanted):
    places = line_chart.spread(wanted, 13.0, 0.0, 200.0)
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    moved = [places[i] for i in order]
    assert all(b - a >= 13 - 1e-6 for a, b in zip(moved, moved[1:], strict=False))
    assert all(p >= -1e-6 for p in places)
    if len(wanted) * 13 <= 200:
        assert all(p <= 200 + 1e-6 for p in places)
