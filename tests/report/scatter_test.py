import math
import re

from hypothesis import given
from hypothesis import strategies as st

from procsup_jax.report import parse, scatter


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
