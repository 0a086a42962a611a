"""The cards that show a finding: the paper's claim, what this run measured, and a plot and a table of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from procsup_jax.report import cells, names
from procsup_jax.report.evidence import Change, Gap
from procsup_jax.report.findings import Finding
from procsup_jax.report.markup import element, text
from procsup_jax.report.strip import strip, strip_axis, strip_scale

CHANGES = (
    "Errors of the first minus those of the second, in points, over the same problems; bold where the interval leaves "
    "0 out, which chance alone would seldom do."
)


def card(found: Finding, position: int) -> str:
    """Return the card of a finding: the paper's claim, this run's verdict, sentences, a plot and a table."""
    plot = _interval_plot(found) if found.comparisons else ""
    changes = element("p", CHANGES, class_="told") + _changes(found.changes) if found.changes else ""
    verdict = element("p", text(found.verdict or "Not measured in this run"), class_="verdict-line")
    return element(
        "article",
        element("h3", element("span", str(position), class_="ordinal"), " ", text(found.title)),
        element("p", element("span", "The paper: ", class_="said"), text(found.claim), class_="claim"),
        verdict,
        *(element("p", text(sentence)) for sentence in found.sentences),
        plot,
        changes,
        class_="card" if found.verdict else "card absent",
    )


def _interval_plot(found: Finding) -> str:
    scale = strip_scale([c.estimate for c in found.comparisons], [c.paper for c in found.comparisons])
    scale = dataclasses.replace(scale, lo=found.axis_from)
    axis = element("th", strip_axis(scale), scope="col")
    head = element("tr", element("th", text(found.metric), scope="col"), axis, element("td"))
    rows = [
        element(
            "tr",
            element("th", text(c.label), scope="row"),
            element("td", strip(c.estimate, c.paper, scale, names.rl_kind(c.model), cells.hollow(c.model))),
            element("td", cells.measure(c.estimate), class_="num"),
            class_=names.rl_kind(c.model),
        )
        for c in found.comparisons
    ]
    return element("table", element("thead", head), element("tbody", *rows), class_="mini")


def _changes(changes: Sequence[Change]) -> str:
    heads = [element("th", title, scope="col") for title in ("difference", "final answer", "trace")]
    rows = [
        element(
            "tr",
            element("th", cells.swatch(names.rl_kind(c.model)), element("span", text(c.label)), scope="row"),
            *(element("td", _gap(gap), class_="num") for gap in (c.final, c.trace)),
        )
        for c in changes
    ]
    return element("table", element("thead", element("tr", *heads)), element("tbody", *rows), class_="mini changes")


def _gap(gap: Gap | None) -> str:
    if gap is None:
        return element("span", names.UNKNOWN, class_="value")
    value = element("span", names.points(gap.value), class_="value clear" if gap.clear else "value")
    return value + " " + element("span", text(gap.note), class_="interval")
