"""Tables as aligned text."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], num_left: int = 1, *, rule: bool = False) -> list[str]:
    """Return rows as lines of equal columns: the first `num_left` flush left, the others flush right.

    With `rule` the first row is underlined.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    underlined = [rows[0], ["-" * width for width in widths], *rows[1:]] if rule else rows
    return [
        "  ".join(
            cell.ljust(width) if i < num_left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in underlined
    ]
