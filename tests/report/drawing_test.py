"""Scales, labels and figures: what the SVG shows is where the data say."""

import math
import re

from hypothesis import given
from hypothesis import strategies as st

from procsup_jax.report import curves, heatmap, line_chart, markup, names, parse, scatter, strip, svg
from procsup_jax.report.results import Agreement, Estimate

shares = st.floats(0, 1)


@given(st.floats(-1e6, 1e6))
def test_coordinates_are_plain_and_within_half_a_hundredth(value):
    assert re.fullmatch(r"-?\d+(\.\d{1,2})?", markup.number(value))
    assert abs(float(markup.number(value)) - value) <= 0.00501
    assert markup.number(-0.001) == "0"


@given(st.text())
def test_text_and_attributes_are_escaped(value):
    written = markup.element("b", markup.text(value), title=value)
    assert written.count("<") == 2 and written.count(">") == 2 and written.count('"') == 2


@given(st.floats(1e-3, 1e3))
def test_ticks_are_few_round_and_inside(top):
    scale = svg.Scale(0.0, top, 10.0, 110.0)
    ticks = scale.ticks()
    assert 2 <= len(ticks) <= 7 and all(-1e-9 <= t <= top * (1 + 1e-9) for t in ticks)
    steps = {round((b - a) / svg.round_step(top / 5), 6) for a, b in zip(ticks, ticks[1:], strict=False)}
    assert steps == {1.0}


def test_ticks_of_counts_are_whole():
    assert svg.Scale(0, 2, 0, 100).ticks(5, least=1.0) == [0, 1, 2]


@given(st.lists(shares, min_size=1, max_size=9))
def test_a_scale_from_zero_holds_all_its_values(values):
    scale = svg.scale_from_zero(values, 0.0, 100.0)
    assert scale.lo == 0 and max(values) <= scale.hi + 1e-9 and scale.hi <= 1.0
    assert all(-1e-6 <= scale(v) <= 100 + 1e-6 for v in values)


@given(st.lists(st.floats(0, 200), max_size=12))
def test_spread_keeps_order_and_distance(wanted):
    places = line_chart.spread(wanted, 13.0, 0.0, 200.0)
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    moved = [places[i] for i in order]
    assert all(b - a >= 13 - 1e-6 for a, b in zip(moved, moved[1:], strict=False))
    assert all(p >= -1e-6 for p in places)
    if len(wanted) * 13 <= 200:
        assert all(p <= 200 + 1e-6 for p in places)


@given(st.lists(st.tuples(st.floats(50, 390), st.floats(30, 280)), max_size=12))
def test_letters_stay_in_the_box_and_apart(points):
    places = scatter.place_labels(points, (40.0, 30.0, 390.0, 286.0))
    assert len(places) == len(points)
    for x, y in places:
        assert 35 <= x <= 396 and 24 <= y <= 292


def test_letters_of_a_tight_cluster_do_not_cover_each_other():
    points = [(100.0 + 3 * i, 200.0 + 2 * (i % 3)) for i in range(6)]
    places = scatter.place_labels(points, (40.0, 30.0, 390.0, 286.0))
    assert min(math.dist(a, b) for i, a in enumerate(places) for b in places[:i]) > 9


def test_scatter_puts_marks_where_the_errors_are(results):
    points = scatter.run_points(parse.parse(results))
    assert [p.letter for p in points] == list("ABCDEFGHIJKL")
    figure = scatter.scatter(points, "errors", "This run", "95 % intervals")
    dots = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="5"', figure.body)
    circles = [p for p in points if p.decoding == "majority"]
    assert len(dots) == len(circles)
    # On a linear axis the marks lie in the order and the proportions of the errors.
    (x0, y0), (x1, y1), (x2, y2) = [(float(x), float(y)) for x, y in dots[:3]]
    f0, f1, f2 = (p.final.value for p in circles[:3])
    t0, t1, t2 = (p.trace.value for p in circles[:3])
    assert math.isclose((x1 - x0) / (x2 - x0), (f1 - f0) / (f2 - f0), rel_tol=1e-3)
    assert math.isclose((y1 - y0) / (y2 - y0), (t1 - t0) / (t2 - t0), rel_tol=1e-3)
    assert y0 < y2  # a larger trace error stands higher
    assert "SFT + ORM-RL (ORM-weighted)" in figure.description


def test_the_paper_s_scatter_leaves_out_rows_without_trace_error():
    assert [p.letter for p in scatter.paper_points()] == list("BCDFGHIJKL")


def test_heat_map_shows_each_measured_pair_and_no_other():
    share = {("orm_prediction", "prm_label"): 0.853, ("prm_label", "orm_prediction"): 0.853}
    figure = heatmap.heatmap(Agreement(share, 913), "agreement", "SFT")
    assert re.findall(r'class="cell-text"[^>]*>([^<]*)<', figure.body) == ["85.3", "85.3"]
    assert "of 913 steps" in figure.description and "PRM" not in figure.body
    assert [heatmap.band(s) for s in (0.0, 0.5, 0.5624, 0.563, 0.999, 1.0)] == [0, 0, 0, 1, 7, 7]


def test_strip_draws_the_interval_and_the_paper_s_tick():
    scale = strip.strip_scale([Estimate(0.2, 0.1, 0.3)], [0.4])
    drawn = strip.strip(Estimate(0.2, 0.1, 0.3), 0.4, scale, "orm")
    interval = re.search(r'x1="([\d.]+)"[^>]*x2="([\d.]+)"[^>]*class="interval"', drawn)
    assert [float(x) for x in interval.groups()] == [round(scale(0.1), 2), round(scale(0.3), 2)]
    assert f'x1="{markup.number(scale(0.4))}"' in drawn and 'aria-hidden="true"' in drawn
    assert "circle" not in strip.strip(None, 0.4, scale, "orm") and "paper-tick" not in strip.strip(
        None, None, scale, ""
    )


def test_selective_panels_hold_each_row_once(results):
    figures = curves.selective_figures(parse.parse(results))
    assert [f.name for f in figures] == ["selective-few-shot", "selective-sft"]
    assert [sorted(set(re.findall(r'data-row="(\w)"', f.body))) for f in figures] == [list("ABEFJ"), list("CDGHIKL")]


def test_learning_panels_share_a_scale_and_ring_the_kept_epoch(results):
    figures = curves.learning_figures(parse.parse(results).curves)
    assert [f.title for f in figures] == ["SFT + Final-Answer RL", "SFT + ORM-RL", "SFT + PRM-RL"]
    assert all(f.body.count('class="ring"') == 3 for f in figures)
    assert len({tuple(re.findall(r'text-anchor="end">(\d+)<', f.body)) for f in figures}) == 1
    del results["curves"]["sft_orm_rl"][1:]
    assert len(curves.learning_figures(parse.parse(results).curves)) == 2  # one epoch is no curve


@given(st.lists(st.text(), min_size=1, max_size=3))
def test_slugs_are_safe_file_names(keys):
    assert re.fullmatch(r"[a-z0-9-]*", names.slug(*keys)) and len(names.slug("x", *keys)) <= 60 + 9 or len(keys) > 1


def test_slugs_keep_plain_names_and_tell_others_apart():
    assert names.slug("learning", "sft_orm_rl") == "learning-sft-orm-rl"
    assert names.slug("learning", "../x") != names.slug("learning", "..\\x")


def test_durations_and_points_are_written_plainly():
    written = [names.duration(s) for s in (0, 7.44, 59.96, 185, 3600, 7800)]
    assert written == ["0.0 s", "7.4 s", "1 min 00 s", "3 min 05 s", "1 h 00 min", "2 h 10 min"]
    assert [names.points(d) for d in (0.012, -0.0651, -0.0001)] == ["+1.2", "−6.5", "0.0"]
