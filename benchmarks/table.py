"""Markdown tables from the records that a call printed."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

Record = dict[str, Any]


def tables(records: Iterable[Record]) -> str:
    """Return a table for each benchmark and size, in the records' order."""
    parts = []
    for (benchmark, size), found in itertools.groupby(records, lambda each: (each["benchmark"], each.get("size"))):
        rows = list(found)
        title = f"**{benchmark}**" + (f", {size}" if size else "")
        parts.append(title + "\n\n" + _TABLES.get(benchmark, _rates)(rows))
        left_out = [f"{row['contender']}: {row.get('left_out') or row['failed']}" for row in rows if _is_absent(row)]
        parts += [f"Left out: {'; '.join(left_out)}."] if left_out else []
    return "\n\n".join([*parts, *_about(records)]) + "\n"


def _is_absent(row: Record) -> bool:
    return "left_out" in row or "failed" in row


def _rates(rows: Sequence[Record]) -> str:
    head = ["contender", "median", "lowest to highest", "unit", "of the limit", "ratio", "peak MB: start, rounds"]
    return _markdown(head, [_rate(row) for row in rows if not _is_absent(row)])


def _rate(row: Record) -> list[str]:
    rate = row["rate"]
    share = f"{100 * row['share_of_limit']:.0f} %" if "share_of_limit" in row else ""
    ratio = f"{row['ratio']:.2f} x {row['ratio_to']}" if "ratio" in row else ""
    peak = "{start:,}, {rounds:,}".format(**row["peak_mb"]) if "peak_mb" in row else ""
    return [row["contender"], _number(rate["median"]), _range(rate), row["unit"], share, ratio, peak]


def _check(rows: Sequence[Record]) -> str:
    found = [row for row in rows if not _is_absent(row)]
    head = ["contender", "largest difference of a logit", "largest logit"]
    return _markdown(
        head, [[r["contender"], f"{r['max_abs_difference']:.1e}", f"{r['largest_logit']:.1f}"] for r in found]
    )


def _sweep(rows: Sequence[Record]) -> str:
    return _crossed(rows, "num_samples", "samples", lambda row: _number(row["rate"]["median"]))


def _search(rows: Sequence[Record]) -> str:
    return _crossed(rows, "num_steps", "steps", lambda row: f"{row['seconds']['median']:.2f} s")


def _crossed(rows: Sequence[Record], field: str, title: str, cell: Any) -> str:
    """Return a table with a row for each value of a field of the task and a column for each contender."""
    found = [row for row in rows if not _is_absent(row)]
    names = list(dict.fromkeys(row["contender"] for row in found))
    cells = {(row["task"][field], row["contender"]): cell(row) for row in found}
    values = sorted({row["task"][field] for row in found})
    return _markdown([title, *names], [[str(v), *(cells.get((v, name), "") for name in names)] for v in values])


def _calculator(rows: Sequence[Record]) -> str:
    cells = []
    for row in (row for row in rows if not _is_absent(row)):
        steps = row["task"]["new_tokens"]
        cells.append(
            [row["contender"], *(f"{1e6 * row['seconds'][key] / steps:.0f}" for key in ("median", "min", "max"))]
        )
    return _markdown(["contender", "median, µs a step of all samples", "lowest", "highest"], cells)


def _demo(rows: Sequence[Record]) -> str:
    return _markdown(
        ["stage", "seconds", "share"], [[r["stage"], f"{r['seconds']:.1f}", f"{100 * r['share']:.1f} %"] for r in rows]
    )


def _compare(rows: Sequence[Record]) -> str:
    head = ["what", "old", "new", "unit", "new over old, paired", "peak MB in the rounds: old, new"]
    return _markdown(head, map(_compared, rows))


def _compared(row: Record) -> list[str]:
    old, new, ratio = row["old"], row["new"], row["ratio"]
    peaks = ", ".join(f"{side['peak_mb']['rounds']:,}" for side in (old, new) if "peak_mb" in side)
    paired = f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})"
    return [row["what"], *(_number(side["rate"]["median"]) for side in (old, new)), row["unit"], paired, peaks]


_TABLES = {
    "check": _check, "sweep": _sweep, "search": _search, "calculator": _calculator, "compare": _compare,
    "demo": _demo,
}  # fmt: skip


def _about(records: Iterable[Record]) -> list[str]:
    """Return where and with what the records were measured, and what a token costs."""
    found = [row for row in records if not _is_absent(row)]
    machines = list(dict.fromkeys(row["machine"] for row in found if "machine" in row))
    versions = {name: version for row in found for name, version in row.get("versions", {}).items()}
    costs = {
        f"{row['benchmark']}, {row['size']}: {row['flops_per_token'] / 1e6:.1f} MFLOP"
        + (f" and {row['bytes_per_token'] / 1e6:.2f} MB to read" if row["bytes_per_token"] else "")
        for row in found
        if "flops_per_token" in row and row["benchmark"] not in ("sweep", "calculator")
    }
    lines = ["A token costs: " + "; ".join(sorted(costs)) + "."] if costs else []
    rounds = sorted({row["n"] for row in found if "n" in row})
    if machines:
        named = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
        threads = sorted({row["threads"] for row in found if "threads" in row})
        lines.append(f"Machine: {'; '.join(machines)}; threads: {_listed(threads)}; rounds: {_listed(rounds)}.")
        lines.append(f"Versions: {named}.")
    return lines


def _listed(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))


def _range(spread: dict[str, float]) -> str:
    return f"{_number(spread['min'])} to {_number(spread['max'])}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
