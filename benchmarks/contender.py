"""The process of one contender: it gets ready once, then does its work each time it is told to.

python -m benchmarks.contender '{"module": "benchmarks.ours.sampling", "options": {}, "task": {...}, ...}'

It answers each line on stdin with a JSON line on stdout: first, unasked, `{"ready": true, ...}`, or `{"missing": name}`
when its library is not installed; then `{"seconds", "facts"}` to `run` and `{"logits"}` to `logits`.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.cost import Cost
from benchmarks.workload import Task


class Made(NamedTuple):
    """Hold a contender that is ready.

    `run` does the work once and may return facts about it; `amount` of `unit` is what it does then ("tokens", "GFLOP").
    `cost` is what the work costs at least, None where no limit is defined. `logits` returns those that follow the first
    problem's prompt.
    """

    run: Callable[[], Mapping[str, Any] | None]
    amount: float
    unit: str
    versions: Mapping[str, str]
    threads: int
    cost: Cost | None = None
    logits: Callable[[], Sequence[float]] | None = None


def main() -> None:
    """Serve until stdin ends."""
    request = json.loads(sys.argv[1])
    if request["core"] is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {request["core"]})
    # Whatever a library prints must not end up between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(record: Mapping[str, Any]) -> None:
        answers.write(json.dumps(record) + "\n")
        answers.flush()

    task = Task(**request["task"])
    try:
        made: Made = importlib.import_module(request["module"]).make(task, **request["options"])
    except ModuleNotFoundError as error:
        return answer({"missing": error.name})
    if request["warm_up"]:
        made.run()
    about = {"amount": made.amount, "unit": made.unit, "versions": made.versions, "threads": made.threads}
    answer({"ready": True, **about, "cost": made.cost})
    for line in sys.stdin:
        answer(_logits(made) if line.strip() == "logits" else _timed(made, settle=request["settle"]))
    return None


def _timed(made: Made, *, settle: bool) -> dict[str, Any]:
    if settle:
        made.run()
    start = time.perf_counter()
    facts = made.run()
    return {"seconds": time.perf_counter() - start, "facts": facts or {}}


def _logits(made: Made) -> dict[str, Any]:
    assert made.logits is not None
    return {"logits": [float(each) for each in made.logits()]}


if __name__ == "__main__":
    main()
