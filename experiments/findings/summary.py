"""What runs of configs/findings.py say together: their errors, and the comparisons that the findings are about."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from procsup_jax import roster
from procsup_jax.evals import findings as findings_lib
from procsup_jax.evals import intervals
from procsup_jax.report import paper_results

Row = dict[str, Any]
Errors = dict[tuple[str, str, str], Row]  # by policy, decoding and metric
FAE, TE = METRICS = findings_lib.METRICS
ABSTAINED = (0.1, 0.3, 0.5)
REWARD_MODELS = roster.REWARD_MODELS
GREEDY = ("greedy_mean", "greedy_lo", "greedy_hi", "greedy_paper")
MEASURES = (
    ("agreement", "process"), ("agreement", "outcome"), ("auc", "process"), ("auc", "outcome"), ("auc", "right_answer"),
)  # fmt: skip


def read(folder: pathlib.Path) -> dict[str, Any]:
    """Return what the JSON files of a folder keep, one of each run, by the run's name."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


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
                    for judge in sorted(matrix.keys() - {"n"}):
                        for other, share in matrix[judge].items():
                            if judge < other and share is not None:
                                yield {
                                    "run": name, "set": test_set, "policy": policy, "steps": steps, "judge": judge,
                                    "other": other, "agreement": share, "n": matrix["n"],
                                }  # fmt: skip


def findings(runs: Mapping[str, Any]) -> Iterator[Row]:
    """Yield each comparison of the findings over runs, in points, beside the paper's and what it becomes greedily."""
    rows = []
    for finding, metrics, pair in findings_lib.COMPARISONS:
        for metric in metrics:
            row = {"finding": finding, "first": "/".join(pair.first), "second": "/".join(pair.second), "metric": metric}
            row |= compared(runs, pair, metric) | {"paper": paper_results.difference(pair, metric)}
            rows.append(row | _greedily(runs, pair, metric))
    for step, paper in (("all_steps", paper_results.emulation()), ("last_step", None)):
        points = {
            name: in_points(findings_lib.emulation(found["models"][roster.SFT]["test"]["agreement"][step]))
            for name, found in runs.items()
        }
        row = {"finding": "F2", "first": "ORM with process labels", "second": "ORM with outcome labels"}
        rows.append(row | {"metric": f"agreement, {step}"} | over(points) | {"paper": paper} | dict.fromkeys(GREEDY))
    yield from sorted(rows, key=lambda row: str(row["finding"]))


def compared(runs: Mapping[str, Any], pair: findings_lib.Pair, metric: str, test_set: str = "test") -> Row:
    """Return the first's error minus the second's, in points, over the runs that have both."""
    return over({name: difference(found, pair, metric, test_set) for name, found in runs.items()})


def _greedily(runs: Mapping[str, Any], pair: findings_lib.Pair, metric: str) -> Row:
    greedy = findings_lib.greedily(pair)
    if greedy is None:
        return dict.fromkeys(GREEDY)
    found = compared(runs, greedy, metric)
    return dict(
        zip(GREEDY, (found["mean"], found["lo"], found["hi"], paper_results.difference(greedy, metric)), strict=True)
    )


def verifiers(runs: Mapping[str, Any]) -> Iterator[Row]:
    """Yield each reward model's agreement with labels, in %, and AUC, x 100, over runs; the surprise controls too."""
    for rm in REWARD_MODELS:
        for measure, labels in MEASURES:
            points = {
                name: in_points(found["reward_models"][rm].get(measure, {}).get(labels))
                for name, found in runs.items()
                if rm in found["reward_models"]
            }
            yield {"reward_model": rm, "measure": measure, "labels": labels} | over(points, 0.0, 100.0)


def agreement(runs: Mapping[str, Any], steps: str, judge: str, other: str) -> Row:
    """Return how often two judges agree on the SFT policy's samples of the test set, in %, over runs.

    Judges are the ORM's and the PRM's predictions and the labels that each is trained on; `steps` all_steps, last_step.
    """
    matrices = {name: found["models"][roster.SFT]["test"]["agreement"][steps] for name, found in runs.items()}
    return over({name: in_points(matrix[judge][other]) for name, matrix in matrices.items()}, 0.0, 100.0)


def errors(runs: Mapping[str, Any], test_set: str = "test") -> Errors:
    """Return each policy, decoding and metric's mean over runs, in %, with its interval."""
    return {
        (policy, decoding, metric): over(
            {name: in_points(row[metric]) for name, row in _measured(runs, policy, test_set, decoding)}, 0.0, 100.0
        )
        for policy, decoding in _approaches(runs, test_set)
        for metric in METRICS
    }


def selective(runs: Mapping[str, Any], policy: str, decoding: str, abstained: float) -> Row:
    """Return the test set's final-answer error, in %, over runs, when this share of problems is abstained on."""
    points = {
        name: in_points(error)
        for name, row in _measured(runs, policy, "test", decoding)
        for share, error in row["selective"]
        if round(share, 6) == abstained
    }
    return over(points, 0.0, 100.0)


def costs(runs: Mapping[str, Any]) -> Row:
    """Return what people gave each policy, of the first run; the sizes are the config's, the same in each."""
    found: Row = next(iter(runs.values()))["supervision"]
    return found


def over(points: Mapping[str, float | None], least: float = -100.0, most: float = 100.0) -> Row:
    """Return the mean of the bases' means, its 95 % t interval over bases, cut to its range, and every run's value.

    Runs are named BASE-SEED, and each has problems of its own, so the interval is over bases, seeds and problems. With
    one base it is over runs; with one run there is none.
    """
    known = {name: value for name, value in points.items() if value is not None}
    bases: dict[str, list[float]] = {}
    for name, value in known.items():
        bases.setdefault(name.rsplit("-", 1)[0], []).append(value)
    each = np.array([np.mean(values) for values in bases.values()] if len(bases) > 1 else list(known.values()))
    row: Row = {"bases": len(bases), "runs": len(known), "mean": each.mean() if len(each) else None}
    row |= {"lo": None, "hi": None, "each": "; ".join(f"{name} {value:.1f}" for name, value in known.items())}
    interval = intervals.over_runs(each.tolist()).interval
    if interval is not None:
        row |= {"lo": max(interval[0], least), "hi": min(interval[1], most)}
    return row


def _approaches(runs: Mapping[str, Any], test_set: str) -> Iterator[tuple[str, str]]:
    seen = set()
    for run in runs.values():
        for policy, sets in run["models"].items():
            for decoding in sets.get(test_set, {}).get("decoding", {}):
                if (policy, decoding) not in seen:
                    seen.add((policy, decoding))
                    yield policy, decoding


def _measured(runs: Mapping[str, Any], policy: str, test_set: str, decoding: str) -> Iterator[tuple[str, Any]]:
    for name, run in runs.items():
        found = run["models"].get(policy, {}).get(test_set, {}).get("decoding", {})
        if decoding in found:
            yield name, found[decoding]


def difference(found: Any, pair: findings_lib.Pair, metric: str, test_set: str = "test") -> float | None:
    """Return the first's error minus the second's on a run's set, in points; None where it lacks either."""
    if any(how not in found["models"][policy][test_set]["decoding"] for policy, how in pair):
        return None
    return in_points(findings_lib.difference(found, pair, metric, test_set))


def in_points(share: float | None, minus: float | None = 0.0) -> float | None:
    """Return a share, or what it is above another, in points; None where either is."""
    return None if share is None or minus is None else 100 * (share - minus)
