"""The `procsup` command: `procsup JOB [--flag=value ...]`.

A job is the function `run` of a module in `jobs/`: its parameters are the flags (see `flags`), its docstring their
help. A parameter named `config` takes the settings of a configuration file and its `--config.key=value` changes. A
module's function `check_flags`, where it has one, is given the flags before that file is read, for what can be refused
at once. What a job computes with, jax above all, it imports in `run`: a user's mistakes are said before.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import pathlib
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any, cast

import procsup_jax
from procsup_jax import arguments, flags, joining, processes, signals, surroundings, usage
from procsup_jax.errors import UserError

JOBS = {
    "run": "a whole experiment from its config to results.json and report.html; resumes by itself",
    "data": "writes a problem set as problems.jsonl",
    "train": "model + problems (+ samples + labels) -> a policy or a reward model",
    "sample": "problems + policy -> samples.jsonl",
    "search": "problems + policy + reward model -> samples.jsonl, found step by step",
    "label": "samples + label source -> labels.jsonl",
    "score": "samples + reward model -> scores.jsonl",
    "grade": "solutions -> final answer, correctness, steps, calculator faults",
    "convert": "a model from or to another system's files",
    "vote": "samples (+ scores) -> the solution that each decoding chooses for each problem",
    "evaluate": "samples + scores + labels -> every metric, as JSON and a table",
    "report": "rebuilds report.html from a workdir",
    "plan": "what a run needs on a TPU slice, compiled without one",
}

# What the process ends with, whatever the job (docs/reliability.md).
EXIT_CODES = {
    0: "done",
    1: "an error of procsup's own, with a traceback",
    2: "a mistake in what was given, said in one line",
    surroundings.LOST: "another process of the same job is gone: start all of them again",
    130: "stopped by SIGINT (Ctrl-C)",
    141: "the reader of the output went away",
    143: "stopped by SIGTERM",
}
# Where compiled programs are kept between runs, for every checkout alike.
CACHE = pathlib.Path.home() / ".cache" / "procsup_jax"


def main(argv: Sequence[str]) -> int:
    """Run one job and return the exit code, one of EXIT_CODES; a UserError is printed as one line.

    Where several processes have joined for the job, an error ends all of them (`joining.end`).
    """
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    try:
        code = _run(argv)
        print(end="", flush=True)
    except KeyboardInterrupt as error:
        if not error.args:  # a fit that stopped between two steps has said so itself
            print(f"procsup: {signals.STOPPED}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 141
    except Exception as error:
        known = _known(error)
        if known is None:
            _end_all(1, traceback.format_exc().rstrip())
            raise
        return _fail(known.exit_code, f"procsup: {' '.join(str(known).split())}")
    return code


def _known(error: Exception) -> UserError | None:
    """Return an error as the one line that it is to be, None for an error of procsup's own."""
    if isinstance(error, UserError):
        return error
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(f"the disk is full ({error}); free some space, then run the same command again")
    return joining.lost_by(error)


def _fail(code: int, line: str) -> int:
    _end_all(code, line)
    print(line, file=sys.stderr)
    return code


def _end_all(code: int, said: str) -> None:
    """End this process and all others of the job, where it is one of several that have joined."""
    if processes.are_joined():
        joining.end(code, said)


def _run(argv: Sequence[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(_usage())
        return 0 if argv else 2
    if argv[0] in ("--version", "version"):
        print(_version())
        return 0
    job, run = argv[0], _job(argv[0])
    if any(arg in ("-h", "--help") for arg in argv[1:]):
        print(_job_usage(job, run, argv[1:]))
        return 0
    run(**_parse(job, run, argv[1:]))
    return 0


def _job(name: str) -> Callable[..., Any]:
    if name not in JOBS:
        raise UserError(f"unknown job {name!r}; expected one of {', '.join(JOBS)} (procsup --help)")
    return importlib.import_module(f"procsup_jax.jobs.{name}").run


def _usage() -> str:
    width = max(map(len, JOBS))
    return "\n".join(
        [
            f"procsup {procsup_jax.__version__}: process- and outcome-supervised reasoning",
            "",
            "usage: procsup JOB [--flag=value ...]",
            "",
            "jobs:",
            *(f"  {name:<{width}}  {what}" for name, what in JOBS.items()),
            "",
            "procsup JOB --help says what a job takes, procsup --version which version this is.",
            "",
            "exit codes:",
            *(f"  {code:<{width}}  {what}" for code, what in EXIT_CODES.items()),
        ]
    )


def _version() -> str:
    """Return what a report of a fault should say; jax is not imported for it."""
    from importlib import metadata  # as long to import as the rest of this module

    found = [f"Python {sys.version.split()[0]}"]
    with contextlib.suppress(metadata.PackageNotFoundError):
        found.append(f"jax {metadata.version('jax')}")
    return f"procsup {procsup_jax.__version__} ({', '.join(found)})"


def _job_usage(job: str, run: Callable[..., Any], argv: Sequence[str]) -> str:
    about_config, _ = _divided(job, run, argv)
    return usage.usage(job, run, _settings(job, run, about_config) if about_config else None)


def _parse(job: str, run: Callable[..., Any], argv: Sequence[str]) -> dict[str, Any]:
    about_config, others = _divided(job, run, argv)
    found = arguments.parse(job, run, others)
    check = getattr(importlib.import_module(run.__module__), "check_flags", None)
    if check is not None:
        check(**found)
    if about_config or flags.needs_config(run):
        found[flags.CONFIG] = _settings(job, run, about_config)
    return found


def _divided(job: str, run: Callable[..., Any], argv: Sequence[str]) -> tuple[list[str], list[str]]:
    about_config, others = arguments.config_arguments(argv)
    if about_config and flags.settings_of(run) is None:
        raise UserError(f"{about_config[0]} is not a flag of procsup {job}; see procsup {job} --help")
    return about_config, others


def _settings(job: str, run: Callable[..., Any], about_config: Sequence[str]) -> Any:
    """Return the settings that the arguments about a configuration give."""
    if not any(arg.startswith("--config=") for arg in about_config):
        raise UserError(f"procsup {job} needs --config=NAME or --config=FILE, such as --config={usage.example_of(job)}")
    from procsup_jax import settings  # ml_collections only where a config is read: grade starts without it

    config = settings.load(about_config)
    choose = getattr(importlib.import_module(run.__module__), "settings_class", None)
    return settings.from_config(cast(type, flags.settings_of(run)) if choose is None else choose(config), config)
