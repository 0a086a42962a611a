from hypothesis import given
from hypothesis import strategies as st

from procsup_jax.report import svg


@given(st.floats(1e-3, 1e3))
def test_ticks_are_few_round_and_inside(top):
    scale = svg.Scale(0.0, top, 10.0, 110.0)
    ticks = scale.ticks()
    assert 2 <= len(ticks) <= 7 and all(-1e-9 <= t <= top * (1 + 1e-9) for t in ticks)
    steps = {round((b - a) / svg.round_step(top / 5), 6) for a, b in zip(ticks, ticks[1:], strict=False)}
    assert steps == {1.0}


def test_ticks_of_counts_are_whole():
    assert svg.Scale(0, 2, 0, 100).ticks(5, least=1.0) == [0, 1, 2]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_a_scale_from_zero_holds_all_its_values(values):
    scale = svg.scale_from_zero(values, 0.0, 100.0)
    assert scale.lo == 0 and max(values) <= scale.hi + 1e-9 and scale.hi <= 1.0
    assert all(-1e-6 <= scale(v) <= 100 + 1e-6 for v in values)


def test_logarithms_are_labelled_by_what_they_are_of():
    axes = svg.axes(svg.Scale(0, 6.6, 0, 100), svg.Scale(0, 1, 0, 100), "samples", "error", x_format="log2")
    assert all(f">{label}</text>" in axes for label in ("1", "4", "16", "64"))
