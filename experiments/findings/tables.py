"""The tables of the findings' README, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from procsup_jax.report import names


def markdown(
    errors: Mapping[tuple[str, str, str], Any],
    ood: Mapping[tuple[str, str, str], Any],
    rows: Sequence[Mapping[str, Any]],
    costs: Mapping[str, Mapping[str, int]],
) -> str:
    """Return every table, under its heading."""
    parts = (_errors("Test set", errors), _errors("Out of distribution", ood), _comparisons(rows), _costs(costs))
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _errors(title: str, errors: Mapping[tuple[str, str, str], Any]) -> Iterator[str]:
    yield f"## {title}: errors, %, means over runs with 95 % intervals over runs\n"
    yield "| policy | decoding | final-answer error | trace error | runs |\n|---|---|---|---|---|"
    models, decodings = ({key[i] for key in errors} for i in (0, 1))
    for policy in names.in_order(names.MODELS, models):
        for decoding in names.in_order(names.DECODINGS, decodings):
            final, trace = (errors.get((policy, decoding, m)) for m in ("final_answer_error", "trace_error"))
            if final is not None and trace is not None:
                labels = names.label(names.MODELS, policy), names.label(names.DECODINGS, decoding)
                yield f"| {' | '.join(labels)} | {_estimate(final)} | {_estimate(trace)} | {final['runs']} |"


def _comparisons(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "## Comparisons, points (of AUC: x 100), means over runs with 95 % intervals over runs\n"
    yield "| finding | first | minus second | of | difference |\n|---|---|---|---|---|"
    for row in rows:
        cells = (row["finding"], row["first"], row["second"], row["metric"].replace("_", " "), _estimate(row))
        yield f"| {' | '.join(cells)} |"


def _costs(costs: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    yield "## What people gave each policy and reward model\n"
    yield "| | solutions, tokens | final answers, tokens | steps marked |\n|---|---|---|---|"
    for name, cost in costs.items():
        yield f"| {name} | {cost['solution_tokens']:,} | {cost['answer_tokens']:,} | {cost['step_labels']:,} |"


def _estimate(row: Mapping[str, Any]) -> str:
    if row["mean"] is None:
        return "–"
    return f"{row['mean']:.1f}" + ("" if row["lo"] is None else f" [{row['lo']:.1f}, {row['hi']:.1f}]")
