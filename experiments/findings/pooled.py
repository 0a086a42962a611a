"""All runs as one, each share the mean of the bases' means, for the figures that the report draws of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import summary

from procsup_jax import roster
from procsup_jax.evals import agreement
from procsup_jax.report import curves, heatmap, parse, svg
from procsup_jax.searching.decodings import GREEDY

TITLES = {"all_steps": "All steps", "last_step": "Last steps"}
JUDGES = (*map(agreement.prediction, roster.JUDGES), agreement.OUTCOME_LABEL, agreement.PROCESS_LABEL)


def agreement_figures(runs: Mapping[str, Any]) -> list[svg.Figure]:
    """Draw how often judges agree on SFT's samples of the test set (the paper's Fig. 4), all steps and last ones."""
    cells = {
        steps: {
            judge: {other: _share(summary.agreement(runs, steps, judge, other)) for other in JUDGES if other != judge}
            for judge in JUDGES
        }
        for steps in TITLES
    }
    results = parse.parse({"models": {roster.SFT: {"test": {"agreement": cells}}}})
    return [
        heatmap.heatmap(found, f"agreement-{steps.replace('_', '-')}", f"{TITLES[steps]}, means of {len(runs)} runs")
        for steps, found in results.agreement(roster.SFT).items()
    ]


def selective_figures(runs: Mapping[str, Any]) -> Sequence[svg.Figure]:
    """Draw the final-answer error left by abstaining (the paper's Fig. 5), of few-shot-based and SFT-based policies."""
    models: dict[str, Any] = {}
    for (policy, decoding, metric), row in summary.errors(runs).items():
        if metric != summary.FAE or decoding == GREEDY:
            continue
        shares = sorted({round(share, 6) for share, _ in _selective(runs, policy, decoding)})
        measured = {
            "final_answer_error": _share(row),
            "selective": [[share, _share(summary.selective(runs, policy, decoding, share))] for share in shares],
        }
        models.setdefault(policy, {"test": {"decoding": {}}})["test"]["decoding"][decoding] = measured
    return curves.selective_figures(parse.parse({"models": models}))


def _selective(runs: Mapping[str, Any], policy: str, decoding: str) -> Sequence[tuple[float, float]]:
    found: Sequence[tuple[float, float]] = next(
        run["models"][policy]["test"]["decoding"][decoding]["selective"]
        for run in runs.values()
        if decoding in run["models"].get(policy, {}).get("test", {}).get("decoding", {})
    )
    return found


def _share(row: summary.Row) -> float | None:
    return None if row["mean"] is None else row["mean"] / 100
