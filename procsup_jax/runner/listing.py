"""What is told of an experiment without running it: its stages, what they read and write, and which are finished."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

from procsup_jax.runner.folder import RunFolder, State
from procsup_jax.runner.graph import Graph
from procsup_jax.runner.stage import Stage

_SAID: dict[State, str] = {
    "finished": "finished",
    "new": "to run",
    "changed": "to run again: what it read or made has changed",
    "always": "run every time",
}


def listed(graph: Graph, path: pathlib.Path, settings: Any) -> str:
    """Return the stages of a graph as text: the state of each in a run's folder, what it reads and what it makes.

    A stage that is finished with other settings says so, as its run would.
    """
    folder = RunFolder(path, settings)
    states = {stage.name: _state(graph, folder, stage) for stage in graph.stages}
    lines = [line for stage in graph.stages for line in _lines(stage, states[stage.name])]
    finished = sum(state == _SAID["finished"] for state in states.values())
    return "\n".join([*lines, f"{len(graph.stages)} stages, {finished} finished in {path}"])


def _state(graph: Graph, folder: RunFolder, stage: Stage) -> str:
    found = folder.changes(graph, stage)
    if found:
        return f"finished with other settings: {', '.join(change.subject for change in found)}"
    return _SAID[folder.state(stage)]


def _lines(stage: Stage, state: str) -> Iterator[str]:
    yield f"{stage.name}: {state}"
    if stage.all_inputs:
        yield f"  reads  {' '.join(each.path for each in stage.all_inputs)}"
    if stage.outputs:
        yield f"  makes  {' '.join(each.path for each in stage.outputs)}"
