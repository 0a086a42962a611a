"""`procsup run`: a whole experiment from its config to results.json and report.html."""

from __future__ import annotations

import os
import pathlib
from typing import Annotated

from procsup_jax import lock, temporaries
from procsup_jax.flags import About
from procsup_jax.stages.experiment import ExperimentSettings

WORKDIR = About("the folder to keep everything in, without it runs/NAME", writes="folder")


def check_flags(workdir: pathlib.Path | None) -> None:
    """Raise UserError where another process has the workdir; called before anything is loaded."""
    if workdir is not None:
        lock.check(workdir)


def run(config: ExperimentSettings, workdir: Annotated[pathlib.Path | None, WORKDIR] = None) -> None:
    """Run every stage of an experiment that is not finished, and end with results.json and report.html.

    No other process may write to the workdir meanwhile. Killed anywhere, the same command goes on.
    """
    from procsup_jax import compilation
    from procsup_jax.stages.context import Context
    from procsup_jax.stages.run import run_experiment
    from procsup_jax.stages.stage import RunFolder

    _set_optimization_level(config.xla_optimization_level)
    compilation.announce()
    folder = workdir or pathlib.Path("runs") / config.name
    with lock.hold(folder):
        temporaries.sweep_all(folder)
        run_experiment(Context(config, RunFolder(folder)))


def _set_optimization_level(level: int) -> None:
    """Tell XLA, which reads its flags when the first program is compiled; a level in XLA_FLAGS already stands."""
    name, given = "--xla_backend_optimization_level", os.environ.get("XLA_FLAGS", "")
    if level != 3 and name not in given:
        os.environ["XLA_FLAGS"] = f"{given} {name}={level}".strip()
