"""Parts that the tables of the page share: a cell with its interval plot, its figures and the paper's figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from procsup_jax import roster
from procsup_jax.report import names, scatter, svg
from procsup_jax.report.markup import element, text
from procsup_jax.report.results import Estimate
from procsup_jax.report.strip import strip_axis

NOT_RUN = element("span", "not run", class_="missing")
Writer = Callable[[float | None], str]


def measure(estimate: Estimate | None, notes: Sequence[str] = (), written: Writer = names.percent) -> str:
    """Return a value with its interval, and notes if any, beneath; a dash for None."""
    if estimate is None:
        return element("span", names.UNKNOWN, class_="missing")
    parts = [element("span", written(estimate.value), class_="value")]
    if estimate.lo is not None and estimate.hi is not None:
        parts.append(element("span", f"{written(estimate.lo)}–{written(estimate.hi)}", class_="interval"))
    parts += [element("span", text(note), class_="interval") for note in notes]
    return " ".join(parts)


def cell(
    label: str, drawing: str | None, run: str, paper: str | None = None, paper_note: str = "", tag: str = ""
) -> str:
    """Return a <td>; `label` stands before it where the table is too narrow for its header."""
    parts = [] if drawing is None else [drawing]
    parts.append(element("span", run, element("span", text(tag), class_="tag") if tag else "", class_="run"))
    if paper is not None:
        value = element("span", element("span", "paper ", class_="said"), text(paper), class_="value")
        note = f" {element('span', text(paper_note), class_='interval')}" if paper_note else ""
        parts.append(element("span", value, note, class_="paper"))
    return element(
        "td", element("div", *parts, class_="measure" if drawing is not None else "measure bare"), data_label=label
    )


def column_head(title: str, scale: svg.Scale | None, paper: bool = True) -> str:
    """Return the <th> of a column of such cells, with the axis of its interval plots.

    Without `paper` the column holds AUCs, which the paper does not give.
    """
    parts = [element("span", text(title), class_="title")]
    parts.append("" if scale is None else strip_axis(scale, ratio=not paper))
    if paper:
        parts += [element("span", "this run", class_="run"), element("span", "paper", class_="paper")]
    return element("th", element("div", *parts, class_="measure" if scale is not None else "measure bare"), scope="col")


def row_head(model: str, how: str = "", key: str = "") -> str:
    """Return the <th> of a row: a policy's or reward model's name, how it decodes, and its letter and mark."""
    second = element("span", text(how), class_="how") if how else ""
    return element("th", key, element("span", element("span", text(model), class_="model"), " ", second), scope="row")


def key(letter: str, model: str, decoding: str) -> str:
    """Return a row's letter with its mark; focusing it lights the row up in every figure."""
    parts = [mark(model, decoding), element("b", letter)]
    return element("button", *parts, type="button", class_="key", aria_label=f"Row {letter}: find it in the figures")


def mark(model: str, decoding: str) -> str:
    """Return a row's mark of the scatter plot as a small picture."""
    return _icon(scatter.marker(model, decoding, 9, 9), names.rl_kind(model))


def swatch(kind: str) -> str:
    """Return a line in the colour of a kind of RL."""
    return _icon(element("rect", x=2, y=7, width=14, height=4, rx=1, class_="dot"), kind)


def _icon(body: str, kind: str) -> str:
    return element(
        "svg",
        body,
        viewBox="0 0 18 18",
        width=18,
        height=18,
        class_=f"mark {kind}",
        aria_hidden="true",
        focusable="false",
    )


def table(id_: str, heads: Sequence[str], rows: Sequence[str], caption: str) -> str:
    """Return a <table> of the page's main kind."""
    return element(
        "table",
        element("caption", text(caption), class_="visually-hidden"),
        element("thead", element("tr", *heads)),
        element("tbody", *rows),
        class_="results",
        id=id_,
    )


def share(paper: float | None) -> float | None:
    """Return one of the paper's percentages as a share."""
    return None if paper is None else paper / 100


def hollow(model: str) -> bool:
    """Return whether a policy's marks are hollow: those that start from the few-shot prompt."""
    return roster.start_of(model) == roster.FEW_SHOT
