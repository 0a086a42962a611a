"""The figures of the findings' experiment: both errors of every approach, and each comparison with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import summary

from procsup_jax.report import markup, names, paper_results, scatter, svg
from procsup_jax.report.results import Estimate

WIDTH, ROW, LABELS, TOP = 820.0, 26.0, 350.0, 62.0
KEY = (("dot", "mean of the bases"), ("dot hollow", "greedily"), ("paper-tick", "the paper"))
SHORT = {"Final-Answer RL": "FA-RL", "Few-shot": "FS", " + ": "+", "-weighted": "", "majority": "maj."}
ENDS = ("mean", "lo", "hi", "greedy_mean", "paper")
METRICS = {summary.FAE: "FAE", summary.TE: "TE"}


def errors_figure(errors: Mapping[tuple[str, str, str], Any], num_runs: int) -> svg.Figure:
    """Draw the rows of Table 1, means over bases with 95 % t intervals."""
    points = [
        scatter.Point(row.letter, row.model, row.decoding, final, trace)
        for row in paper_results.TABLE_1
        if (final := _share(errors.get((row.model, row.decoding, summary.FAE)))) is not None
        and (trace := _share(errors.get((row.model, row.decoding, summary.TE)))) is not None
    ]
    return scatter.scatter(points, "errors", f"Means of {num_runs} runs", "95 % intervals over bases")


def differences_figure(rows: Sequence[Mapping[str, Any]]) -> svg.Figure:
    """Draw each comparison's mean difference, its interval and every run's value; what it is greedily; the paper's."""
    shown = [row for row in rows if row["mean"] is not None]
    values = [float(v) for row in shown for v in (*map(row.get, ENDS), *_each(row)) if v is not None]
    x = svg.Scale(min(-5.0, *values), max(5.0, *values), LABELS, WIDTH - 12)
    height = TOP + ROW * len(shown) + 30
    bottom = height - 30
    parts = [svg.line(x(tick), TOP - 12, x(tick), bottom, "grid") for tick in x.ticks(8)]
    parts += [svg.label(x(tick), bottom + 16, f"{tick:+.0f}" if tick else "0", anchor="middle") for tick in x.ticks(8)]
    parts.append(svg.line(x(0), TOP - 12, x(0), bottom, "axis"))
    parts.append(svg.label(4, 16, "First minus second, points; dots: runs, bars: 95 % over bases", "axis-title"))
    parts += [_key(i, kind, said) for i, (kind, said) in enumerate(KEY)]
    parts += [_comparison(row, x, TOP + ROW * i) for i, row in enumerate(shown)]
    listing = "; ".join(f"{_title(row)}: {row['mean']:+.1f} points" for row in shown)
    return svg.Figure("findings", "The findings' comparisons", listing, WIDTH, height, "".join(parts))


def _key(position: int, kind: str, said: str) -> str:
    x, y = LABELS + 150.0 * position, 33.0
    return markup.element("g", _mark(kind, x + 6, y), svg.label(x + 16, y + 4, said), class_="mark final")


def _mark(kind: str, x: float, y: float) -> str:
    if kind == "paper-tick":
        return svg.line(x, y - 7, x, y + 7, kind)
    return markup.element("circle", cx=x, cy=y, r=4.6, class_=kind)


def _comparison(row: Mapping[str, Any], x: svg.Scale, y: float) -> str:
    parts = [svg.label(x.start - 10, y + 4, _title(row), anchor="end")]
    if row["paper"] is not None:
        parts.append(_mark("paper-tick", x(row["paper"]), y))
    if row["lo"] is not None:
        parts.append(svg.line(x(row["lo"]), y, x(row["hi"]), y, "interval"))
    parts += [markup.element("circle", cx=x(value), cy=y, r=2.2, class_="point") for value in _each(row)]
    parts.append(_mark("dot", x(row["mean"]), y))
    if row["greedy_mean"] is not None:
        parts.append(_mark("dot hollow", x(row["greedy_mean"]), y))
    kind = {summary.FAE: "final", summary.TE: "prm"}.get(row["metric"], "orm")
    return markup.element("g", *parts, class_=f"mark {kind}")


def _title(row: Mapping[str, Any]) -> str:
    if row["finding"] == "F2":
        return f"F2: ORM agrees with process − outcome, {row['metric'].split(', ')[1].replace('_', ' ')}"
    first, second = (names.approach(*row[side].split("/")) for side in ("first", "second"))
    return f"{row['finding']} {METRICS[row['metric']]}: {_short(first)} − {_short(second)}"


def _short(approach: str) -> str:
    for long, short in SHORT.items():
        approach = approach.replace(long, short)
    return approach


def _each(row: Mapping[str, Any]) -> list[float]:
    return [float(part.rsplit(" ", 1)[1]) for part in row["each"].split("; ") if part]


def _share(row: Mapping[str, Any] | None) -> Estimate | None:
    if row is None or row["mean"] is None:
        return None
    bounds = [None if row[side] is None else min(max(row[side] / 100, 0.0), 1.0) for side in ("lo", "hi")]
    return Estimate(row["mean"] / 100, *bounds, row["runs"])
