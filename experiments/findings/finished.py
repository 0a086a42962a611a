"""What the commands share that go on from finished runs of configs/findings.py: arguments, folders, what is kept."""

from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

import summary

from procsup_jax import settings
from procsup_jax.errors import UserError
from procsup_jax.recipes.settings import ExperimentSettings
from procsup_jax.roster import SFT
from procsup_jax.runner.folder import RunFolder

HERE = pathlib.Path(__file__).parent
CONFIG = HERE.parents[1] / "configs" / "findings.py"


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of the arguments that all have."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("runs", nargs="*", type=pathlib.Path, metavar="RUN")
    made.add_argument("--size", default="full", help="the runs' size: full or tiny")
    made.add_argument(
        "--output", type=pathlib.Path, help="folder of the tables; beside this file, tiny: the first RUN's"
    )
    return made


def parse(made: argparse.ArgumentParser, argv: Sequence[str] | None) -> tuple[argparse.Namespace, list[str]]:
    """Return the parsed command line and, as they are, the changes of the config in it."""
    args, changes = made.parse_known_args(argv)
    unknown = [each for each in changes if not (each.startswith("--config.") and "=" in each)]
    if unknown:
        made.error(f"unrecognized arguments: {' '.join(unknown)}")
    if args.output is None:
        args.output = HERE if args.size == "full" or not args.runs else args.runs[0].resolve().parent
    return args, changes


def folder(run: pathlib.Path, size: str, changes: Sequence[str]) -> RunFolder:
    """Return a finished run's folder, with its settings and the changes."""
    seed = run.resolve().name.rpartition("-")[2]
    if not (run / "models" / SFT).is_dir() or not seed.isdigit():
        raise UserError(f"{run} is not the folder of a finished run, named BASE-SEED; see experiments/findings/run.py")
    config = settings.load([f"--config={CONFIG}:{size}", f"--config.seed={seed}", *changes])
    return RunFolder(run, settings.from_config(ExperimentSettings, config))


def kept(folder: pathlib.Path) -> dict[str, Any]:
    """Return what a folder keeps of each run, by its name."""
    found = summary.read(folder)
    if not found:
        raise UserError(f"nothing of a run in {folder}: name the folder of a finished run")
    return found


def command(main: Callable[[], None]) -> None:
    """Run a command, and end with one line where its user made a mistake."""
    try:
        main()
    except UserError as error:
        sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {error}")
