"""`procsup run`: a whole experiment from its config to results.json and report.html."""

from __future__ import annotations

import contextlib
import os
import pathlib
from typing import Annotated, Any, Literal

from procsup_jax import lock, shards, temporaries
from procsup_jax.errors import UserError
from procsup_jax.flags import About
from procsup_jax.joining import ProcessFlags
from procsup_jax.processes import index, is_first, told
from procsup_jax.recipes import load
from procsup_jax.recipes.settings import ExperimentSettings
from procsup_jax.runner.graph import Graph
from procsup_jax.runner.view import as_json
from procsup_jax.settings import flatten

settings_class = load.settings_class

WORKDIR = About("the folder to keep everything in, without it runs/NAME", writes="folder")
STAGES = About("run nothing: list the stages, what they read and make and which are finished, or print them for dot")
DEPENDENTS = About("with --stages: only the stage of this name and those that depend on it")
Stages = Literal["list", "dot"]


def check_flags(workdir: pathlib.Path | None, stages: Stages | None, dependents: str, **_: Any) -> None:
    """Raise UserError where another process has the workdir; called before anything is loaded."""
    if dependents and stages is None:
        raise UserError(f"--dependents={dependents} is for --stages=list or --stages=dot; give one of them")
    if workdir is not None and stages is None:
        lock.check(workdir)


def run(
    config: ExperimentSettings,
    workdir: Annotated[pathlib.Path | None, WORKDIR] = None,
    stages: Annotated[Stages | None, STAGES] = None,
    dependents: Annotated[str, DEPENDENTS] = "",
    processes: ProcessFlags = ProcessFlags(),  # noqa: B008
) -> None:
    """Run every stage of an experiment that is not finished, and end with results.json and report.html.

    No other run may write to the workdir meanwhile. Killed anywhere, the same command goes on, also with another number
    of processes: several, of one command on one file system, share the sampling, searching and scoring and train over
    one mesh; where config.mesh sets none it has all their devices.
    """
    recipe = load.load(config.recipe)
    graph = recipe.graph(config)
    folder = workdir or pathlib.Path("runs") / config.name
    if stages is not None:
        _show(graph, folder, config, stages, dependents)
        return
    if workdir is None:  # a given one was looked at before
        lock.check(folder)
    from procsup_jax import compilation
    from procsup_jax.runner.folder import RunFolder

    _set_optimization_level(config.xla_optimization_level)
    processes.join()
    _check_same(config)
    compilation.announce()
    with lock.hold(folder) if is_first() else contextlib.nullcontext():
        found = RunFolder(folder, config)

        def check() -> None:
            temporaries.sweep_all(folder)
            shards.sweep(folder)
            found.check_markers()
            recipe.check(config)

        told("checks", check)
        found.run(graph)


def _check_same(config: ExperimentSettings) -> None:
    """Raise UserError where this process was started with other settings than the first."""
    mine = as_json(flatten(config))
    first = told("settings", lambda: mine)
    for key in sorted(first.keys() | mine.keys()):
        if mine.get(key) != first.get(key):
            raise UserError(
                f"process {index()} was started with --{key}={mine.get(key)}, process 0 with {first.get(key)}; give "
                "all of them the same command but for --process_id"
            )


def _show(graph: Graph, folder: pathlib.Path, config: ExperimentSettings, how: Stages, dependents: str) -> None:
    if dependents:
        graph = graph.only([dependents, *(stage.name for stage in graph.dependents(dependents))])
    if how == "dot":
        print(graph.dot(), end="")
        return
    from procsup_jax.runner.listing import listed

    print(listed(graph, folder, config))


def _set_optimization_level(level: int) -> None:
    """Tell XLA, which reads its flags when the first program is compiled; a level in XLA_FLAGS already stands."""
    name, given = "--xla_backend_optimization_level", os.environ.get("XLA_FLAGS", "")
    if level != 3 and name not in given:
        os.environ["XLA_FLAGS"] = f"{given} {name}={level}".strip()
