"""Trace error against final-answer error, as the paper's Fig. 3."""

from __future__ import annotations

import dataclasses
import itertools
import math

from procsup_jax import roster
from procsup_jax.report import markup, names, paper_results, svg
from procsup_jax.report.results import Estimate, Results
from procsup_jax.searching import decodings

WIDTH, HEIGHT = 400.0, 330.0
MARKER_R = 5.0


@dataclasses.dataclass(frozen=True)
class Point:
    """Place a row of Table 1: its letter, model, decoding and both errors."""

    letter: str
    model: str
    decoding: str
    final: Estimate
    trace: Estimate


def run_points(results: Results, test_set: str = "test") -> list[Point]:
    """Return the rows of Table 1 that this run measured both errors of."""
    points = []
    for row in paper_results.TABLE_1:
        found = results.decoding(row.model, row.decoding, test_set)
        if found is not None and found.trace is not None:
            points.append(Point(row.letter, row.model, row.decoding, found.final, found.trace))
    return points


def paper_points() -> list[Point]:
    """Return the paper's Table 1; the vertical range is that between its two raters."""
    return [
        Point(
            row.letter,
            row.model,
            row.decoding,
            Estimate(row.final / 100),
            Estimate(row.trace / 100, row.trace_min / 100, row.trace_max / 100),
        )
        for row in paper_results.TABLE_1
        if row.trace is not None and row.trace_min is not None and row.trace_max is not None
    ]


def scatter(points: list[Point], name: str, title: str, whiskers: str) -> svg.Figure:
    """Draw points with their intervals; `whiskers` says what the lines through the points show."""
    x = svg.scale_from_zero([v for p in points for v in _values(p.final)], 40, WIDTH - 10)
    y = svg.scale_from_zero([v for p in points for v in _values(p.trace)], HEIGHT - 44, 30)
    marks = [_mark(point, x, y) for point in points]
    labels = place_labels([(x(p.final.value), y(p.trace.value)) for p in points], (x.start, y.end, x.end, y.start))
    letters = [_letter(point, x, y, at) for point, at in zip(points, labels, strict=True)]
    body = svg.axes(x, y, "final-answer error, %", "trace error, %") + "".join(marks) + "".join(letters)
    listing = "; ".join(f"{p.letter} {_describe(p)}" for p in points)
    return svg.Figure(name, title, f"{title}. Lines: {whiskers}. {listing}.", WIDTH, HEIGHT, body)


def _values(estimate: Estimate) -> list[float]:
    return [v for v in (estimate.value, estimate.lo, estimate.hi) if v is not None]


def _describe(point: Point) -> str:
    return (
        f"{names.approach(point.model, point.decoding)}: "
        f"final-answer error {names.percent(point.final.value)} %, trace error {names.percent(point.trace.value)} %"
    )


def _mark(point: Point, x: svg.Scale, y: svg.Scale) -> str:
    px, py = x(point.final.value), y(point.trace.value)
    parts = [markup.element("title", markup.text(f"{point.letter}: {_describe(point)}"))]
    if point.final.lo is not None and point.final.hi is not None:
        parts.append(svg.line(x.clip(point.final.lo), py, x.clip(point.final.hi), py, "whisker"))
    if point.trace.lo is not None and point.trace.hi is not None:
        parts.append(svg.line(px, y.clip(point.trace.lo), px, y.clip(point.trace.hi), "whisker"))
    parts.append(marker(point.model, point.decoding, px, py))
    return markup.element("g", *parts, class_=f"mark {names.rl_kind(point.model)}", data_row=point.letter)


def marker(model: str, decoding: str, x: float, y: float, r: float = MARKER_R) -> str:
    """Return the mark of a row: colour by RL, hollow when few-shot-based, shape by decoding."""
    fill = "dot hollow" if roster.start_of(model) == roster.FEW_SHOT else "dot"
    judge = decodings.judge_of(decoding)
    if judge == roster.ORM:
        return markup.element("rect", x=x - r * 0.9, y=y - r * 0.9, width=r * 1.8, height=r * 1.8, class_=fill)
    if judge == roster.PRM:
        tip = r * 1.3
        path = f"M{markup.number(x)} {markup.number(y - tip)}l{markup.number(tip)} {markup.number(tip)}"
        path += f"l{markup.number(-tip)} {markup.number(tip)}l{markup.number(-tip)} {markup.number(-tip)}z"
        return markup.element("path", d=path, class_=fill)
    return markup.element("circle", cx=x, cy=y, r=r, class_=fill)


def _letter(point: Point, x: svg.Scale, y: svg.Scale, at: tuple[float, float]) -> str:
    px, py = x(point.final.value), y(point.trace.value)
    parts = []
    if math.dist((px, py), at) > 17:
        parts.append(svg.line(px, py, at[0], at[1], "leader"))
        parts.append(markup.element("circle", cx=at[0], cy=at[1], r=6.5, class_="letter-bg"))
    parts.append(svg.label(at[0], at[1] + 4, point.letter, class_="letter", anchor="middle"))
    return markup.element("g", *parts, class_=f"mark {names.rl_kind(point.model)}", data_row=point.letter)


def place_labels(
    points: list[tuple[float, float]], box: tuple[float, float, float, float]
) -> list[tuple[float, float]]:
    """Return a place for each point's letter, near it and clear of markers, other letters and the box's border.

    `box` is (left, top, right, bottom). Greedy: the most crowded points choose first.
    """
    crowd = [sum(math.dist(p, q) < 40 for q in points) for p in points]
    places: dict[int, tuple[float, float]] = {}
    for i in sorted(range(len(points)), key=lambda i: (-crowd[i], i)):
        candidates = [
            (points[i][0] + r * math.cos(a), points[i][1] + r * math.sin(a))
            for r, a in itertools.product((13, 20, 28, 37, 47), [math.pi * (2 * k + 1) / 12 for k in range(12)])
        ]
        taken = list(places.values())
        places[i] = min(candidates, key=lambda at: _cost(at, points[i], points, taken, box))
    return [places[i] for i in range(len(points))]


def _cost(
    at: tuple[float, float],
    own: tuple[float, float],
    points: list[tuple[float, float]],
    taken: list[tuple[float, float]],
    box: tuple[float, float, float, float],
) -> float:
    left, top, right, bottom = box
    outside = max(left + 6 - at[0], at[0] - right, top + 2 - at[1], at[1] - bottom + 8, 0)
    near_marks = sum(max(0.0, 13 - math.dist(at, p)) for p in points)
    near_letters = sum(max(0.0, 14 - math.dist(at, q)) for q in taken)
    return math.dist(at, own) * 0.12 + outside * 10 + near_marks * 2 + near_letters * 2
