"""Agreement of reward models' predictions and labels, as the paper's Fig. 4."""

from __future__ import annotations

from procsup_jax.report import markup, names, svg
from procsup_jax.report.results import Agreement

CELL_W, CELL_H, LEFT, TOP = 72.0, 46.0, 84.0, 42.0
LONGEST = 7  # letters of a judge's name that fit beside its row and above its column
BANDS = 8  # classes heat-0 ... heat-7, from 50 % to 100 %


def heatmap(agreement: Agreement, name: str, title: str) -> svg.Figure:
    """Draw the share of steps on which each two judges agree; a pair without a value is left blank."""
    judges = names.verdicts_in_order({judge for pair in agreement.share for judge in pair})
    width, height = LEFT + CELL_W * len(judges) + 4, TOP + CELL_H * len(judges) + 8
    parts = []
    for j, judge in enumerate(judges):
        kind, what = names.verdict(judge).rsplit(" ", 1)
        kind = kind if len(kind) <= LONGEST else f"{kind[: LONGEST - 1]}…"
        parts.append(svg.label(LEFT + (j + 0.5) * CELL_W, TOP - 22, kind, class_="tick strong", anchor="middle"))
        parts.append(svg.label(LEFT + (j + 0.5) * CELL_W, TOP - 7, what, anchor="middle"))
        parts.append(svg.label(LEFT - 9, TOP + (j + 0.5) * CELL_H - 3, kind, class_="tick strong", anchor="end"))
        parts.append(svg.label(LEFT - 9, TOP + (j + 0.5) * CELL_H + 12, what, anchor="end"))
    for i, first in enumerate(judges):
        for j, second in enumerate(judges):
            share = 1.0 if i == j else agreement.share.get((first, second))
            parts.append(_cell(i, j, first, second, share))
    pairs = "; ".join(
        f"{names.verdict(a)} and {names.verdict(b)} {names.percent(share)} %"
        for (a, b), share in agreement.share.items()
        if a < b
    )
    steps = "" if agreement.n is None else f" of {agreement.n} steps"
    return svg.Figure(
        name, title, f"{title}: share{steps} on which two judges agree. {pairs}.", width, height, "".join(parts)
    )


def _cell(i: int, j: int, first: str, second: str, share: float | None) -> str:
    x, y = LEFT + j * CELL_W, TOP + i * CELL_H
    if share is None:
        return markup.element("rect", x=x + 1, y=y + 1, width=CELL_W - 2, height=CELL_H - 2, rx=3, class_="heat-none")
    if i == j:
        return markup.element("rect", x=x + 1, y=y + 1, width=CELL_W - 2, height=CELL_H - 2, rx=3, class_="heat-self")
    hint = f"{names.verdict(first)} and {names.verdict(second)} agree on {names.percent(share, 2)} % of the steps"
    return markup.element(
        "g",
        markup.element("title", markup.text(hint)),
        markup.element("rect", x=x + 1, y=y + 1, width=CELL_W - 2, height=CELL_H - 2, rx=3, class_="cell"),
        svg.label(x + CELL_W / 2, y + CELL_H / 2 + 5, names.percent(share), class_="cell-text", anchor="middle"),
        class_=f"heat-{band(share)}",
    )


def band(share: float) -> int:
    """Return the colour class of a share: 0 up to 50 %, then equal bands up to 100 %."""
    return min(BANDS - 1, max(0, int((share - 0.5) * 2 * BANDS)))
