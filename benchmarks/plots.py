"""Two plots of what was measured: speed against the number of samples, and what a search costs against its steps."""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from procsup_jax import files
from procsup_jax.report import line_chart, svg

Record = dict[str, Any]

# The report's classes of colour and dash, in the order in which lines are drawn.
CLASSES = ("prm solid", "none dashed", "final dotted", "orm dashed")
_SHORT = {
    "transformers, static, compiled": "transformers",
    "procsup, re-reading for each candidate": "for each candidate",
}


def write(records: Sequence[Record], folder: pathlib.Path) -> None:
    """Write a plot for each size that the sweep or the search was run at."""
    for figure in figures(records):
        folder.mkdir(parents=True, exist_ok=True)
        files.write_text(folder / f"{figure.name}.svg", figure.standalone())


def figures(records: Sequence[Record]) -> list[svg.Figure]:
    """Return the figures that the records allow."""
    measured = [row for row in records if "rate" in row and row["benchmark"] in ("sweep", "search")]
    measured.sort(key=lambda row: (row["benchmark"], row["size"]))
    return [
        (_speed if benchmark == "sweep" else _cost)(size, list(rows))
        for (benchmark, size), rows in itertools.groupby(measured, lambda row: (row["benchmark"], row["size"]))
    ]


def _speed(size: str, rows: list[Record]) -> svg.Figure:
    lines = _lines(rows, lambda row: (row["task"]["num_samples"], row["rate"]["median"]))
    title = f"Sampling, {size}: speed against the number of samples"
    return _chart(lines, f"sampling-{size}", title, "samples of one problem", "tokens a second")


def _cost(size: str, rows: list[Record]) -> svg.Figure:
    lines = _lines(rows, lambda row: (row["task"]["num_steps"], row["seconds"]["median"]))
    title = f"Step search, {size}: seconds against the number of steps"
    return _chart(lines, f"search-{size}", title, "steps of the solution", "seconds a search")


def _lines(rows: list[Record], point: Callable[[Record], tuple[float, float]]) -> list[line_chart.Line]:
    names = list(dict.fromkeys(row["contender"] for row in rows))
    points = {name: sorted(point(row) for row in rows if row["contender"] == name) for name in names}
    return [
        line_chart.Line(_SHORT.get(name, name.removeprefix("procsup, ")), name, classes, points[name])
        for name, classes in zip(names, itertools.cycle(CLASSES), strict=False)
    ]


def _chart(lines: list[line_chart.Line], name: str, title: str, x_title: str, y_title: str) -> svg.Figure:
    margin = 18 + 7.6 * max(len(line.tag) for line in lines)
    axes = line_chart.Axis(x_title, "d"), line_chart.Axis(y_title, "n")
    return line_chart.line_chart(lines, name, title, *axes, tags_right=margin, size=(560.0, 300.0))
