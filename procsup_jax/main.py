"""The `procsup` command: `procsup JOB [--flag=value ...]`.

A job is the function `run` of a module in `jobs/`: its parameters are the flags (see `flags`), its docstring their
help. A parameter named `config` takes a configuration file and its `--config.key=value` changes. A module's function
`check`, where it has one, is given the flags before the configuration is read, for what can be refused at once.
"""

from __future__ import annotations

import errno
import importlib
import os
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

from procsup_jax import flags, signals
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
    "evaluate": "samples + scores + labels -> every metric, as JSON and a table",
    "report": "rebuilds report.html from a workdir",
}

# What the process ends with, whatever the job (docs/reliability.md).
EXIT_CODES = {
    0: "done",
    1: "an error of procsup's own, with a traceback",
    2: "a mistake in what was given, said in one line",
    130: "stopped by SIGINT (Ctrl-C)",
    141: "the reader of the output went away",
    143: "stopped by SIGTERM",
}


def main(argv: Sequence[str]) -> int:
    """Run one job and return the exit code, one of EXIT_CODES; a UserError is printed as one line."""
    # Programs are compiled once and kept between runs.
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(pathlib.Path.home() / ".cache" / "procsup_jax"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    try:
        code = _run(argv)
        print(end="", flush=True)
    except UserError as error:
        print(f"procsup: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt as error:
        if not error.args:  # a fit that stopped between two steps has said so itself
            print(f"procsup: {signals.STOPPED}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 141
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        print(f"procsup: the disk is full ({error}); free some space, then run the same command again", file=sys.stderr)
        return UserError.exit_code
    return code


def _run(argv: Sequence[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(_usage())
        return 0 if argv else 2
    job, run = argv[0], _job(argv[0])
    if any(arg in ("-h", "--help") for arg in argv[1:]):
        print(flags.usage(job, run))
        return 0
    run(**_parse(job, run, argv[1:]))
    return 0


def _job(name: str) -> Callable[..., Any]:
    if name not in JOBS:
        raise UserError(f"unknown job {name!r}; expected one of {', '.join(JOBS)} (procsup --help)")
    return importlib.import_module(f"procsup_jax.jobs.{name}").run


def _usage() -> str:
    width = max(map(len, JOBS))
    lines = [f"  {name:<{width}}  {what}" for name, what in JOBS.items()]
    codes = "; ".join(f"{code} {what}" for code, what in EXIT_CODES.items())
    usage = "usage: procsup JOB [--flag=value ...]   (procsup JOB --help lists a job's flags)"
    return "\n".join([usage, "", *lines, "", f"exit codes: {codes}"])


def _parse(job: str, run: Callable[..., Any], argv: Sequence[str]) -> dict[str, Any]:
    about_config, others = flags.config_arguments(argv)
    if about_config and not flags.takes_config(run):
        raise UserError(f"{about_config[0]} is not a flag of procsup {job}; see procsup {job} --help")
    found = flags.parse(job, run, others)
    check = getattr(importlib.import_module(run.__module__), "check", None)
    if check is not None:
        check(**found)
    if flags.takes_config(run):
        found[flags.CONFIG] = _load_config(job, about_config, required=flags.needs_config(run))
    return found


def _load_config(job: str, args: Sequence[str], *, required: bool) -> Any:
    from procsup_jax import settings  # ml_collections only where a config is read: grade starts without it

    if not any(arg.startswith("--config=") for arg in args):
        if required or args:
            raise UserError(f"procsup {job} needs --config=FILE[:arg], such as --config=configs/demo.py")
        return None
    return settings.load(args)
