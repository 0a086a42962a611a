"""What runs of configs/findings.py say together: their errors, and the comparisons that the findings are about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

Row = dict[str, Any]
METRICS = ("final_answer_error", "trace_error")
ABSTAINED = (0.1, 0.3, 0.5)
# (finding, first, second): policies and decodings. F1 expects a final-answer error within 5 points; every other row
# expects the first to have the lower errors.
COMPARISONS = (
    ("F1", ("few_shot_final_answer_rl", "majority"), ("sft", "majority")),
    ("F3", ("sft", "majority"), ("few_shot_final_answer_rl", "majority")),
    ("F3", ("few_shot_orm_rl", "majority"), ("few_shot_final_answer_rl", "majority")),
    ("F3", ("sft", "prm_weighted"), ("few_shot_orm_rl", "orm_weighted")),
    ("F3", ("sft_prm_rl", "prm_weighted"), ("few_shot_orm_rl", "orm_weighted")),
    ("F4", ("few_shot", "orm_weighted"), ("few_shot", "majority")),
    ("F4", ("sft", "orm_weighted"), ("sft", "majority")),
    ("F4", ("sft", "prm_weighted"), ("sft", "majority")),
    ("F4", ("sft_orm_rl", "majority"), ("sft_final_answer_rl", "majority")),
    ("F4", ("sft_prm_rl", "majority"), ("sft_final_answer_rl", "majority")),
    ("F4", ("sft_orm_rl", "orm_weighted"), ("sft_final_answer_rl", "majority")),
    ("F4", ("sft_prm_rl", "prm_weighted"), ("sft_final_answer_rl", "majority")),
)
REWARD_MODELS = ("sft_orm", "sft_prm", "sft_surprise_outcome", "sft_surprise_process")


def results(runs: Mapping[str, Any]) -> Iterator[Row]:
    """Yield each measured error of each run: whole, and with the least certain problems abstained on."""
    for name, found in runs.items():
        for policy, sets in found["models"].items():
            for test_set, measured in sets.items():
                for decoding, row in measured["decoding"].items():
                    key = {"run": name, "set": test_set, "policy": policy, "decoding": decoding}
                    for metric in METRICS:
                        lo, hi = row["intervals"].get(metric) or (None, None)
                        n = measured["n"] if metric == "final_answer_error" else row["trace_n"]
                        yield {**key, "metric": metric, "value": row[metric], "lo": lo, "hi": hi, "n": n}
                    for abstained, error in row["selective"]:
                        if round(abstained, 6) in ABSTAINED:
                            metric = f"final_answer_error, {abstained:.0%} abstained"
                            yield {**key, "metric": metric, "value": error, "lo": None, "hi": None, "n": measured["n"]}


def agreements(runs: Mapping[str, Any]) -> Iterator[Row]:
    """Yield each cell of each run's agreement matrices."""
    for name, found in runs.items():
        for policy, sets in found["models"].items():
            for test_set, measured in sets.items():
                for steps, matrix in measured["agreement"].items():
                    for judge in matrix.keys() - {"n"}:
                        for other, share in matrix[judge].items():
                            if judge < other and share is not None:
                                yield {
                                    "run": name, "set": test_set, "policy": policy, "steps": steps, "judge": judge,
                                    "other": other, "agreement": share, "n": matrix["n"],
                                }  # fmt: skip


def findings(runs: Mapping[str, Any]) -> Iterator[Row]:
    """Yield each comparison of the findings over runs, in points."""
    for finding, first, second in COMPARISONS:
        for metric in METRICS:
            points = {name: _difference(found, first, second, metric) for name, found in runs.items()}
            yield _row(finding, "/".join(first), "/".join(second), metric, points)
    for step in ("all_steps", "last_step"):
        points = {name: _emulation(found, step) for name, found in runs.items()}
        yield _row("F2", "ORM with process labels", "ORM with outcome labels", f"agreement, {step}", points)
    for rm in REWARD_MODELS:
        for labels in ("process", "outcome", "right_answer"):
            points = {name: _in_points(found["reward_models"][rm]["auc"][labels]) for name, found in runs.items()}
            yield _row("AUC x 100", rm, "", labels, points)


def errors(runs: Mapping[str, Any], test_set: str = "test") -> dict[tuple[str, str, str], Row]:
    """Return each policy, decoding and metric's mean over runs, in points, with its interval."""
    found = {}
    for policy, decoding in _approaches(runs, test_set):
        for metric in METRICS:
            values = {
                name: _in_points(run["models"][policy][test_set]["decoding"][decoding][metric])
                for name, run in runs.items()
                if decoding in run["models"].get(policy, {}).get(test_set, {}).get("decoding", {})
            }
            found[policy, decoding, metric] = over(values)
    return found


def costs(runs: Mapping[str, Any]) -> Row:
    """Return what people gave each policy, of the first run; the sizes are the config's, the same in each."""
    found: Row = next(iter(runs.values()))["supervision"]
    return found


def over(points: Mapping[str, float | None]) -> Row:
    """Return the mean over runs, its 95 % t interval (with two runs or more) and every run's value."""
    known = np.array([value for value in points.values() if value is not None])
    row: Row = {"runs": len(known), "mean": known.mean() if len(known) else None, "lo": None, "hi": None}
    if len(known) > 1:
        half = stats.t.ppf(0.975, len(known) - 1) * stats.sem(known)
        row |= {"lo": row["mean"] - half, "hi": row["mean"] + half}
    return {**row, "each": "; ".join(f"{name} {value:.1f}" for name, value in points.items() if value is not None)}


def _row(finding: str, first: str, second: str, metric: str, points: Mapping[str, float | None]) -> Row:
    return {"finding": finding, "first": first, "second": second, "metric": metric} | over(points)


def _approaches(runs: Mapping[str, Any], test_set: str) -> Iterator[tuple[str, str]]:
    seen = set()
    for run in runs.values():
        for policy, sets in run["models"].items():
            for decoding in sets.get(test_set, {}).get("decoding", {}):
                if (policy, decoding) not in seen:
                    seen.add((policy, decoding))
                    yield policy, decoding


def _difference(found: Any, first: Sequence[str], second: Sequence[str], metric: str) -> float | None:
    """Return the first's error minus the second's on the test set."""
    values = [found["models"][policy]["test"]["decoding"][decoding][metric] for policy, decoding in (first, second)]
    return _in_points(*values)


def _emulation(found: Any, step: str) -> float | None:
    """Return the ORM's agreement with process labels minus that with outcome labels on the SFT policy's samples."""
    agrees = found["models"]["sft"]["test"]["agreement"][step]["orm_prediction"]
    return _in_points(agrees["prm_label"], agrees["orm_label"])


def _in_points(share: float | None, minus: float | None = 0.0) -> float | None:
    return None if share is None or minus is None else 100 * (share - minus)
