"""A line chart whose lines are named at an end; the selective and the learning curves are drawn with it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from procsup_jax.report import markup, svg

WIDTH, HEIGHT = 400.0, 290.0


@dataclasses.dataclass(frozen=True)
class Line:
    """Hold a line: its short name, what it shows in words, its CSS classes, its points, and those to ring."""

    tag: str
    description: str
    classes: str
    points: Sequence[tuple[float, float]]
    ringed: Sequence[tuple[float, float]] = ()
    row: str | None = None


@dataclasses.dataclass(frozen=True)
class Axis:
    """Name what an axis shows; `format` is as in svg.axes."""

    title: str
    format: str = "%"


def line_chart(
    lines: Sequence[Line],
    name: str,
    title: str,
    x_axis: Axis,
    y_axis: Axis,
    *,
    tags_right: float = 0.0,
    top: float | None = None,
    size: tuple[float, float] = (WIDTH, HEIGHT),
) -> svg.Figure:
    """Draw values over x.

    Lines are named at their right ends in a margin of width `tags_right`, or at their left ends where that is 0.
    `top` fixes the y axis's end, so that several panels can share it.
    """
    (width, height), y_format = size, y_axis.format
    xs = [px for each in lines for px, _ in each.points]
    gutter, left = 0.0 if tags_right else 28.0, 40.0 if y_format == "%" else 52.0
    x = svg.Scale(min(xs), max(xs) if max(xs) > min(xs) else min(xs) + 1, left + gutter, width - tags_right - 8)
    values = [top] if top is not None else [py for each in lines for _, py in each.points]
    y = svg.scale_from_zero(values, height - 44, 30, 1.0 if y_format == "%" else math.inf)
    ends = [each.points[-1 if tags_right else 0] for each in lines]
    places = spread([y(py) for _, py in ends], 15.0, y.end, y.start)
    body = svg.axes(x, y, x_axis.title, y_axis.title, x_axis.format, gutter, y_format)
    body += "".join(
        _line(each, x, y, _tag(each, x(end[0]), y(end[1]), place, 1 if tags_right else -1))
        for each, end, place in zip(lines, ends, places, strict=True)
    )
    listing = "; ".join(f"{each.description}: {_listed(each, x_axis.format, y_format)}" for each in lines)
    return svg.Figure(name, title, f"{title}. {listing}.", width, height, body)


def _line(each: Line, x: svg.Scale, y: svg.Scale, tag: str) -> str:
    path = "L".join(f"{markup.number(x(px))} {markup.number(y(py))}" for px, py in each.points)
    parts = [
        markup.element("title", markup.text(each.description)),
        markup.element("path", d=f"M{path}", class_="line-hit"),
        markup.element("path", d=f"M{path}", class_="line"),
    ]
    parts += [markup.element("circle", cx=x(px), cy=y(py), r=2.4, class_="point") for px, py in each.points]
    parts += [markup.element("circle", cx=x(px), cy=y(py), r=6.0, class_="ring") for px, py in each.ringed]
    return markup.element("g", *parts, tag, class_=f"mark {each.classes}", data_row=each.row)


def _tag(each: Line, x: float, y: float, place: float, side: int) -> str:
    """Return a line's name beside its end (x, y), at height `place`, with a leader where that is not its own."""
    leader = svg.line(x + 4 * side, y, x + 11 * side, place, "leader") if abs(place - y) > 3 else ""
    return leader + svg.label(x + 13 * side, place + 4, each.tag, "letter", "start" if side > 0 else "end")


def _listed(each: Line, x_format: str, y_format: str) -> str:
    unit = " %" if x_format == "%" else ""
    shown = [f"{100 * py:.1f} %" if y_format == "%" else f"{py:,g}" for _, py in each.points]
    return ", ".join(f"{y} at {svg.tick(px, x_format)}{unit}" for y, (px, _) in zip(shown, each.points, strict=True))


def spread(wanted: Sequence[float], gap: float, lo: float, hi: float) -> list[float]:
    """Return places near `wanted`, at least `gap` apart and in the same order, within [lo, hi] where they fit."""
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    places = [wanted[i] for i in order]
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + gap)
    if places and places[-1] > hi:
        places[-1] = hi
        for i in range(len(places) - 2, -1, -1):
            places[i] = min(places[i], places[i + 1] - gap)
    shift = max(0.0, lo - places[0]) if places else 0.0
    result = [0.0] * len(wanted)
    for i, place in zip(order, places, strict=True):
        result[i] = place + shift
    return result
