"""Small parts of hand-made SVG: linear scales with round ticks, axes, and whole figures."""

from __future__ import annotations

import dataclasses
import math

from procsup_jax.report.markup import asset, element, text
from procsup_jax.report.markup import number as coordinate


@dataclasses.dataclass(frozen=True)
class Figure:
    """Hold a figure: its file name, title, a description for those who cannot see it, and its SVG body."""

    name: str
    title: str
    description: str
    width: float
    height: float
    body: str

    def inline(self, *, shrinks: bool = True) -> str:
        """Return the <svg> element to stand in the page, which holds the style sheet; as wide as there is room."""
        return self._svg("", None if shrinks else f"min-width:{coordinate(self.width)}px")

    def standalone(self) -> str:
        """Return the text of an .svg file with its own style sheet."""
        style = f"<style>{asset('tokens.css')}{asset('figures.css')}</style>"
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + self._svg(style) + "\n"

    def _svg(self, style: str, least: str | None = None) -> str:
        return element(
            "svg",
            style,
            element("title", text(self.title), id=f"fig-{self.name}-title"),
            element("desc", text(self.description), id=f"fig-{self.name}-desc"),
            self.body,
            xmlns="http://www.w3.org/2000/svg",
            class_="fig",
            style=least,
            role="img",
            viewBox=f"0 0 {coordinate(self.width)} {coordinate(self.height)}",
            aria_labelledby=f"fig-{self.name}-title fig-{self.name}-desc",
        )


def label(
    x: float, y: float, content: object, class_: str = "tick", anchor: str = "start", **attributes: object
) -> str:
    """Return a <text> whose baseline starts (or, by `anchor`, is centred or ends) at (x, y)."""
    anchor_value = None if anchor == "start" else anchor
    return element("text", text(content), x=float(x), y=float(y), class_=class_, text_anchor=anchor_value, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    """Return a straight line."""
    return element("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=class_)


@dataclasses.dataclass(frozen=True)
class Scale:
    """Map values of [lo, hi] linearly to coordinates of [start, end]."""

    lo: float
    hi: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the coordinate of `value`."""
        return self.start + (value - self.lo) / (self.hi - self.lo) * (self.end - self.start)

    def clip(self, value: float) -> float:
        """Return the coordinate of the value of [lo, hi] that is nearest to `value`."""
        return self(min(max(value, self.lo), self.hi))

    def ticks(self, count: int = 5, least: float = 0.0) -> list[float]:
        """Return about `count` round values within [lo, hi], at least `least` apart."""
        step = max(round_step((self.hi - self.lo) / count), least)
        first = math.ceil(self.lo / step - 1e-9)
        last = math.floor(self.hi / step + 1e-9)
        return [i * step for i in range(first, last + 1)]


def round_step(step: float) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that is at least `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))


def scale_from_zero(values: list[float], start: float, end: float, top: float = 1.0) -> Scale:
    """Return a scale from 0 to a round value, at most `top`, that holds all of `values` (1: they are shares)."""
    largest = max([*values, 0.02])
    step = round_step(largest / 4)
    return Scale(0.0, min(top, math.ceil(largest / step - 1e-9) * step), start, end)


def axes(
    x: Scale, y: Scale, x_title: str, y_title: str, x_format: str = "%", gutter: float = 0.0, y_format: str = "%"
) -> str:
    """Return gridlines, tick labels and axis titles.

    Formats are "%" for a share, "d" a count, "n" any number, "log2" what the value is the logarithm of, to base 2.
    `gutter` is room left free between the y axis's labels and the start of x.
    """
    parts = []
    left = x.start - gutter
    for value in y.ticks(4):
        parts.append(line(left, y(value), x.end, y(value), "grid"))
        parts.append(label(left - 7, y(value) + 3.8, tick(value, y_format), anchor="end"))
    for value in x.ticks(5, least=1.0 if x_format in ("d", "log2") else 0.0):
        parts.append(line(x(value), y.start, x(value), y.start + 4, "axis"))
        parts.append(label(x(value), y.start + 17, tick(value, x_format), anchor="middle"))
    parts.append(line(left, y.start, x.end, y.start, "axis"))
    parts.append(label(x.end, y.start + 34, x_title, class_="axis-title", anchor="end"))
    parts.append(label(2, y.end - 13, y_title, class_="axis-title"))
    return element("g", *parts, class_="axes")


def tick(value: float, kind: str) -> str:
    """Return the label of a value in one of the formats of `axes`."""
    if kind == "n":
        return f"{value:,g}"
    if kind == "log2":
        return f"{2**value:,g}"
    return f"{value:.0f}" if kind == "d" else f"{round(100 * value, 6):g}"
