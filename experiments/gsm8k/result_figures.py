"""The figures of a GSM8K run: every set's final-answer errors side by side, and votes by the number of samples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from procsup_jax import roster
from procsup_jax.evals.readings import ONE_SAMPLE
from procsup_jax.report import line_chart, markup, names, svg
from procsup_jax.searching import decodings

LABELS, PANEL, GAP, ROW, TOP = 250.0, 84.0, 34.0, 24.0, 70.0
VOTES_ON = roster.TEST, roster.SHORT
Row = tuple[str, str]  # policy, decoding


def figures(found: Mapping[str, Any], prefix: str) -> Iterator[svg.Figure]:
    """Yield the figures of what `result_tables.kept` returns, their names starting with `prefix`."""
    yield errors_figure(found["models"], f"{prefix}-errors")
    for split in VOTES_ON:
        if votes := found["real_problems"]["text"][roster.SFT].get(split, {}).get("votes"):
            yield votes_figure(votes, names.label(names.SETS, split), f"{prefix}-votes-{split}")


def errors_figure(models: Mapping[str, Any], name: str) -> svg.Figure:
    """Draw each policy's error by decoding as a row, each set as a panel; bars are 95 % intervals over problems."""
    rows, sets = _rows(models), names.in_order(names.SETS, models[roster.SFT])
    width, bottom = LABELS + (PANEL + GAP) * len(sets), TOP + ROW * len(rows)
    parts = [svg.label(4, 16, "Final-answer error, %; bars: 95 % over problems", "axis-title")]
    parts += [svg.label(LABELS - 10, _y(i) + 4, _title(row), anchor="end") for i, row in enumerate(rows)]
    listing = []
    for position, split in enumerate(sets):
        start = LABELS + (PANEL + GAP) * position
        x = svg.Scale(0.0, 1.0, start, start + PANEL)
        measured = {row: models[row[0]][split][row[1]] for row in rows if row[1] in models[row[0]].get(split, {})}
        n = max(each["n"] for each in measured.values())
        for line, said in enumerate((_short(split), f"n = {n}")):
            parts.append(svg.label(x(0.5), TOP - 36 + 15 * line, said, anchor="middle"))
        for tick in (0.0, 0.5, 1.0):
            parts.append(svg.line(x(tick), TOP - 12, x(tick), bottom, "grid"))
            parts.append(svg.label(x(tick), bottom + 16, svg.tick(tick, "%"), anchor="middle"))
        parts += [_mark(measured[row], row, x, _y(i)) for i, row in enumerate(rows) if row in measured]
        said = "; ".join(f"{_title(row)} {names.percent(each['value'])}" for row, each in measured.items())
        listing.append(f"{names.label(names.SETS, split)}: {said}")
    return svg.Figure(name, "Final-answer errors", ". ".join(listing), width, bottom + 30, "".join(parts))


def votes_figure(votes: Mapping[str, Mapping[str, Any]], split: str, name: str) -> svg.Figure:
    """Draw the error of each vote over the number of samples it sees."""
    lines = []
    for how in names.decodings_in_order(votes):
        points = [(math.log2(int(k)), each["value"]) for k, each in votes[how].items()]
        dash = "solid" if decodings.judge_of(how) in (None, *roster.JUDGES) else "dashed"
        lines.append(line_chart.Line(names.decoding(how), names.decoding(how), f"{_kind(how)} {dash}", points))
    axes = line_chart.Axis("samples", "log2"), line_chart.Axis("final-answer error, %")
    return line_chart.line_chart(
        lines, name, f"Votes on {split}: final-answer error", *axes, tags_right=250.0, top=1.0, size=(620.0, 300.0)
    )


def _rows(models: Mapping[str, Any]) -> list[Row]:
    """Return every decoding of SFT, and what policies after RL are greedily."""
    of_sft = {how for by_decoding in models[roster.SFT].values() for how in by_decoding}
    others = [policy for policy in names.in_order(names.MODELS, models) if policy != roster.SFT]
    rows = [(roster.SFT, how) for how in names.decodings_in_order(of_sft)]
    return rows + [(policy, decodings.GREEDY) for policy in others]


def _mark(found: Mapping[str, Any], row: Row, x: svg.Scale, y: float) -> str:
    lo, hi = found["interval"] or (found["value"], found["value"])
    dot = "dot hollow" if row[1] in (decodings.GREEDY, ONE_SAMPLE) else "dot"
    circle = markup.element("circle", cx=x(found["value"]), cy=y, r=4.0, class_=dot)
    return markup.element("g", svg.line(x(lo), y, x(hi), y, "interval"), circle, class_=f"mark {_kind(row[1])}")


def _kind(how: str) -> str:
    """Return the class of a decoding's colour: that of the kind of reward model that weighs it, if any does."""
    return next((kind for kind in roster.JUDGES if (decodings.judge_of(how) or "").startswith(kind)), "none")


def _title(row: Sequence[str]) -> str:
    return f"{names.label(names.MODELS, row[0])}, {names.decoding(row[1])}"


def _short(split: str) -> str:
    return {roster.SHORT: "few steps", roster.OOD: "pre-algebra"}.get(split) or names.label(names.SETS, split)


def _y(position: int) -> float:
    return TOP + ROW * position
