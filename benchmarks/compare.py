"""Another checkout's contenders beside this one's, in turns: whether anything is slower, or larger, than it was."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks import runner, suite, summary
from benchmarks.runner import Contender, Failed
from benchmarks.suite import Spec
from benchmarks.workload import Task
from procsup_jax.errors import UserError

Record = dict[str, Any]

SPECS = {"sampling": suite.OURS, "scoring": suite.SCORING, "search": suite.CACHED, "training": suite.TRAINING}
SIZES = ("2m", "25m")
# Before there was benchmarks/ours/export.py, weights.py wrote them.
_EXPORT = """
import pathlib, sys
try:
    from benchmarks.ours.export import export
except ModuleNotFoundError:
    from benchmarks.weights import export
export(sys.argv[1], pathlib.Path(sys.argv[2]))
"""


def records(names: Sequence[str], sizes: Sequence[str], old: pathlib.Path, setting: runner.Setting) -> Iterator[Record]:
    """Yield a record for each benchmark and size.

    Every contender imports its own checkout, package and benchmarks. A round is one run of either, in alternating
    order; `ratio` is the seconds of `old` over those of this one, paired: above 1 this one is faster. Raises UserError
    when `old` is no checkout that has benchmarks, and Failed when a contender's process ends.
    """
    old = old.absolute()
    if not (old / "benchmarks" / "contender.py").is_file():
        raise UserError(f"--old={old}: expected a checkout of this project, with benchmarks/contender.py in it")
    roots = {"old": old, "new": runner.ROOT}
    for size in sizes:
        with contextlib.ExitStack() as stack:
            folders = {side: stack.enter_context(tempfile.TemporaryDirectory()) for side in roots}
            for side, root in roots.items():
                _export(root, size, folders[side])
            for name in names:
                tasks = {side: Task.usual(size, folders[side]) for side in roots}
                yield from _measured(name, SPECS[name], tasks, roots, setting)


def _measured(
    name: str, spec: Spec, tasks: dict[str, Task], roots: dict[str, pathlib.Path], setting: runner.Setting
) -> Iterator[Record]:
    settle = name in ("scoring", "training")
    sides: dict[str, Contender] = {}
    ready: dict[str, Record] = {}
    found: dict[str, list[Record]] = {side: [] for side in roots}
    try:
        for side, root in roots.items():
            sides[side] = Contender(spec, tasks[side], setting, warm_up=True, settle=settle, root=root)
            ready[side] = sides[side].answer() | {"peak_mb": sides[side].peak_mb()}
            if "missing" in ready[side]:
                raise Failed(f"{side}: {ready[side]['missing']} is not installed")
        for number in range(setting.rounds):
            for side in list(sides)[:: -1 if number % 2 else 1]:
                found[side].append(sides[side].answer("run") | {"peak_mb": sides[side].peak_mb()})
    except Failed as error:
        raise Failed(f"{name} {tasks['new'].size}: {error}") from error
    finally:
        for contender in sides.values():
            contender.close()
    yield _record(name, tasks["new"], ready, found)


def _record(name: str, task: Task, ready: dict[str, Record], found: dict[str, list[Record]]) -> Record:
    seconds = {side: [each["seconds"] for each in answers] for side, answers in found.items()}
    ratios = [old / new for old, new in zip(seconds["old"], seconds["new"], strict=True)]
    line: Record = {"benchmark": "compare", "what": name, "size": task.size, "n": len(ratios)}
    for side in found:
        rates = [ready[side]["amount"] / each for each in seconds[side]]
        line[side] = {"rate": summary.spread(rates), "seconds": summary.spread(seconds[side])}
        line[side] |= summary.peaks(ready[side], found[side]) | {"facts": found[side][-1]["facts"]}
    line |= {"unit": f"{ready['new']['unit']}/s", "ratio": summary.spread(ratios)}
    line["ratio_of_medians"] = statistics.median(seconds["old"]) / statistics.median(seconds["new"])
    about = {"threads": ready["new"]["threads"], "versions": ready["new"]["versions"], "machine": summary.machine()}
    return line | about | {"task": {k: v for k, v in dataclasses.asdict(task).items() if k != "folder"}}


def _export(root: pathlib.Path, size: str, folder: str) -> None:
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", _EXPORT, size, folder]
    done = subprocess.run(command, cwd=root, env=environment, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Failed(f"{root}: {(done.stderr.strip().splitlines() or ['it said nothing'])[-1]}")
