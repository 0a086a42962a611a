"""From what contenders answered to the records that are printed."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import platform
import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks import cost
from benchmarks.suite import LIMITS, Group, Spec

Record = dict[str, Any]
Answers = Sequence[tuple[Spec, Record, list[Record]]]


def about(group: Group, spec: Spec) -> Record:
    """Return what identifies a record."""
    return {"benchmark": group.benchmark, "size": group.task.size, "contender": spec.name}


def records(group: Group, core: int, answers: Answers) -> list[Record]:
    """Return a record for each contender.

    `rate` and `seconds` are medians over n rounds with the smallest and the largest; `ratio` is the rate's to that of
    the fastest rival, `ratio_to`; `share_of_limit` says how much of its seconds the measured limits would take;
    `peak_mb` is the most memory of the process, while it got ready (compiled) and in the rounds.
    """
    seconds = {spec.name: [each["seconds"] for each in found] for spec, _, found in answers}
    rates = {spec.name: [ready["amount"] / each for each in seconds[spec.name]] for spec, ready, _ in answers}
    middle = {name: statistics.median(found) for name, found in rates.items()}
    rivals = [spec.name for spec, _, _ in answers if spec.rival]
    best = max(rivals, key=middle.__getitem__) if rivals else None
    limits = _limits(middle)
    task = {name: value for name, value in dataclasses.asdict(group.task).items() if name not in ("size", "folder")}
    lines = []
    for spec, ready, found in answers:
        line = about(group, spec) | {
            "unit": f"{ready['unit']}/s",
            "rate": spread(rates[spec.name]),
            "seconds": spread(seconds[spec.name]),
            "us_per_unit": _rounded(1e6 / middle[spec.name]),
            "n": len(found),
        }
        if best is not None and spec not in LIMITS:
            line |= {"ratio": _rounded(middle[spec.name] / middle[best]), "ratio_to": best}
        if ready["cost"] is not None:
            line |= _of_limit(cost.Cost(*ready["cost"]), limits, ready["amount"], statistics.median(seconds[spec.name]))
        line |= peaks(ready, found)
        line |= {"threads": ready["threads"], "core": core, "versions": ready["versions"], "machine": machine()}
        lines.append(line | {"task": task} | (found[-1]["facts"] if found else {}))
    return lines


def peaks(ready: Record, found: Sequence[Record]) -> Record:
    """Return the most memory of a process, in MB, while it got ready and in the rounds, where the system says it."""
    of_rounds = [each["peak_mb"] for each in found]
    if ready["peak_mb"] is None or not of_rounds or None in of_rounds:
        return {}
    return {"peak_mb": {"start": round(ready["peak_mb"]), "rounds": round(max(of_rounds))}}


def machine() -> str:
    """Return the processor's name and how many there are."""
    name, info = platform.processor() or platform.machine(), pathlib.Path("/proc/cpuinfo")
    if info.exists():
        models = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = models[0].partition(":")[2].strip() if models else name
    return f"{name}, {os.cpu_count()} cores, {platform.system()}"


def _limits(rates: dict[str, float]) -> cost.Rates | None:
    """Return the best rates of the limits' contenders among those measured."""
    matmul = [rates[spec.name] * 1e9 for spec in LIMITS[:2] if spec.name in rates]
    memory = [rates[spec.name] * 1e9 for spec in LIMITS[2:] if spec.name in rates]
    return cost.Rates(max(matmul), memory[0]) if matmul and memory else None


def _of_limit(least: cost.Cost, limits: cost.Rates | None, amount: float, seconds: float) -> Record:
    line: Record = {"flops_per_token": round(least.flops / amount), "bytes_per_token": round(least.read_bytes / amount)}
    if limits is not None:
        limit = cost.limit_seconds(least, limits)
        line |= {"share_of_limit": _rounded(limit / seconds), "limit_rate": _rounded(amount / limit)}
    return line


def spread(found: Sequence[float]) -> dict[str, float]:
    """Return the median, the smallest and the largest."""
    return {"median": _rounded(statistics.median(found)), "min": _rounded(min(found)), "max": _rounded(max(found))}


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
