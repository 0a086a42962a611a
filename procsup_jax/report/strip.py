"""One-line interval plots that stand in table cells: this run's estimate, and the paper's figure as a grey tick."""

from __future__ import annotations

from collections.abc import Iterable

from procsup_jax.report import markup, svg
from procsup_jax.report.results import Estimate

WIDTH, HEIGHT = 132.0, 20.0
PAD = 7.0


def strip_scale(estimates: Iterable[Estimate | None], papers: Iterable[float | None] = ()) -> svg.Scale:
    """Return the common scale of a column of strips; `papers` are shares."""
    values = [v for e in estimates if e is not None for v in (e.value, e.hi) if v is not None]
    values += [v for v in papers if v is not None]
    return svg.scale_from_zero(values, PAD, WIDTH - PAD)


def strip(estimate: Estimate | None, paper: float | None, scale: svg.Scale, kind: str, hollow: bool = False) -> str:
    """Return the plot of one estimate; it repeats the numbers beside it, so it is hidden from screen readers."""
    middle = HEIGHT / 2
    parts = [svg.line(tick, 2, tick, HEIGHT - 2, "grid") for tick in map(scale, scale.ticks())]
    if paper is not None:
        parts.append(svg.line(scale.clip(paper), 3, scale.clip(paper), HEIGHT - 3, "paper-tick"))
    if estimate is not None:
        if estimate.lo is not None and estimate.hi is not None:
            parts.append(svg.line(scale.clip(estimate.lo), middle, scale.clip(estimate.hi), middle, "interval"))
        parts.append(
            markup.element(
                "circle", cx=scale.clip(estimate.value), cy=middle, r=4.2, class_="dot hollow" if hollow else "dot"
            )
        )
    return _svg("".join(parts), f"strip mark {kind}")


def strip_axis(scale: svg.Scale, ratio: bool = False) -> str:
    """Return the tick labels that head a column of strips: percentages, or with `ratio` the shares themselves."""
    parts = [
        svg.label(scale(tick), HEIGHT - 6, _tick(tick, ratio), class_="tick", anchor="middle") for tick in scale.ticks()
    ]
    return _svg("".join(parts), "strip strip-axis")


def _svg(body: str, class_: str) -> str:
    return markup.element(
        "svg",
        body,
        class_=class_,
        viewBox=f"0 0 {markup.number(WIDTH)} {markup.number(HEIGHT)}",
        aria_hidden="true",
        focusable="false",
    )


def _tick(share: float, ratio: bool) -> str:
    return f"{round(share, 6):g}".removeprefix("0") or "0" if ratio else f"{round(100 * share, 6):g}"
