"""The `procsup` command: `procsup JOB [--flag=value ...]`.

A job is the function `run` of a module in `jobs/`: its parameters are the flags, its docstring their help. A parameter
named `config` takes a configuration file and its `--config.key=value` changes; `from_` is the flag `--from`, which
Python does not take as a name.
"""

from __future__ import annotations

import importlib
import inspect
import os
import pathlib
import signal
import sys
import typing
from collections.abc import Callable, Sequence
from typing import Any

from absl import flags

from procsup_jax.errors import UserError

JOBS = {
    "run": "a whole experiment from its config to results.json and report.html; resumes by itself",
    "data": "writes a problem set as problems.jsonl",
    "sample": "problems + policy -> samples.jsonl",
    "label": "samples + label source -> labels.jsonl",
    "score": "samples + reward model -> scores.jsonl",
    "grade": "solutions -> final answer, correctness, steps, calculator faults",
    "convert": "a model from or to another system's files",
    "evaluate": "samples + scores + labels -> every metric, as JSON and a table",
    "report": "rebuilds report.html from a workdir",
}


# glibc (2.35 and later) reads it when a process starts; a training step of a 1M model takes 1.4 times as long without.
HUGE_PAGES = ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")


def console() -> None:
    """Run the command line of this process and exit: 0 done, 2 a user's mistake, 130 interrupted."""
    _use_huge_pages()
    # A job killed by its scheduler ends like one stopped by Ctrl-C: the write in hand is finished.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))


def _use_huge_pages() -> None:
    """Start this process anew where page faults would dominate its small models' steps; a user's own setting stands."""
    name, value = HUGE_PAGES
    if sys.platform == "linux" and name not in os.environ and sys.argv[1:2] != ["grade"]:
        os.environ[name] = value
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def main(argv: Sequence[str]) -> int:
    """Run one job and return the exit code; a UserError is printed as one line."""
    # Programs are compiled once and kept between runs.
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(pathlib.Path.home() / ".cache" / "procsup_jax"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    try:
        if not argv or argv[0] in ("-h", "--help", "help"):
            print(_usage())
            return 0 if argv else 2
        job, run = argv[0], _job(argv[0])
        if any(arg in ("-h", "--help") for arg in argv[1:]):
            print(_job_usage(job, run))
            return 0
        run(**_parse(job, run, argv[1:]))
    except UserError as error:
        print(f"procsup: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("procsup: stopped; what is finished is kept, and the same command goes on from there", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 141
    return 0


def _job(name: str) -> Callable[..., Any]:
    if name not in JOBS:
        raise UserError(f"unknown job {name!r}; expected one of {', '.join(JOBS)} (procsup --help)")
    return importlib.import_module(f"procsup_jax.jobs.{name}").run


def _usage() -> str:
    width = max(map(len, JOBS))
    lines = [f"  {name:<{width}}  {what}" for name, what in JOBS.items()]
    return "\n".join(["usage: procsup JOB [--flag=value ...]   (procsup JOB --help lists a job's flags)", "", *lines])


def _job_usage(job: str, run: Callable[..., Any]) -> str:
    rows = []
    for name, parameter in _flag_parameters(run).items():
        required = parameter.default is inspect.Parameter.empty
        default = "required" if required else f"default {parameter.default!r}"
        rows.append(f"  --{_flag(name)}  ({default})")
    return "\n".join([f"procsup {job}: {inspect.getdoc(run)}", "", "flags:", *rows])


def _flag_parameters(run: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(run).parameters)


def _flag(name: str) -> str:
    return name.removesuffix("_")


def _parse(job: str, run: Callable[..., Any], argv: Sequence[str]) -> dict[str, Any]:
    parameters, hints = _flag_parameters(run), typing.get_type_hints(run)
    values = flags.FlagValues()
    for name, parameter in parameters.items():
        if name != "config":
            _define(values, _flag(name), hints[name], parameter.default)
    config_args = [arg for arg in argv if arg == "--config" or arg.startswith(("--config=", "--config."))]
    if config_args and "config" not in parameters:
        raise UserError(f"{config_args[0]} is not a flag of procsup {job}; see procsup {job} --help")
    rest = values_of_flags(values, job, [arg for arg in argv if arg not in config_args])
    if rest:
        raise UserError(f"procsup {job} takes only --flag=value, found {rest[0]!r}; see procsup {job} --help")
    found = {name: values[_flag(name)].value for name in parameters if name != "config"}
    for name, parameter in parameters.items():
        if name == "config":
            found[name] = _load_config(job, config_args, required=parameter.default is inspect.Parameter.empty)
        elif found[name] is None and parameter.default is inspect.Parameter.empty:
            raise UserError(f"procsup {job} needs --{_flag(name)}; see procsup {job} --help")
        elif found[name] is not None:
            found[name] = _typed(hints[name], found[name])
    return {name: value for name, value in found.items() if value is not None or parameters[name].default is None}


def values_of_flags(values: flags.FlagValues, job: str, argv: Sequence[str]) -> list[str]:
    """Parse `argv` into `values` and return what is no flag; an unknown or ill-typed flag is a UserError."""
    try:
        return values([f"procsup {job}", *argv])[1:]
    except flags.Error as error:
        raise UserError(f"{error}; see procsup {job} --help") from error


def _define(values: flags.FlagValues, name: str, hint: Any, default: Any) -> None:
    default = None if default is inspect.Parameter.empty else default
    kinds = typing.get_args(hint) or (hint,)
    kind = next(kind for kind in kinds if kind is not type(None))
    literal = next((each for each in (hint, kind) if typing.get_origin(each) is typing.Literal), None)
    if typing.get_origin(hint) in (Sequence, tuple, list):
        flags.DEFINE_multi_string(name, list(default or []), "", flag_values=values)
    elif literal is not None:
        flags.DEFINE_enum(name, default, list(map(str, typing.get_args(literal))), "", flag_values=values)
    elif kind is bool:
        flags.DEFINE_boolean(name, default, "", flag_values=values)
    elif kind is int:
        flags.DEFINE_integer(name, default, "", flag_values=values)
    elif kind is float:
        flags.DEFINE_float(name, default, "", flag_values=values)
    else:
        flags.DEFINE_string(name, None if default is None else str(default), "", flag_values=values)


def _typed(hint: Any, value: Any) -> Any:
    kinds = typing.get_args(hint) or (hint,)
    if isinstance(value, list):
        return tuple(pathlib.Path(item) if pathlib.Path in kinds else item for item in value)
    return pathlib.Path(value) if pathlib.Path in kinds else value


def _load_config(job: str, args: Sequence[str], *, required: bool) -> Any:
    from procsup_jax import settings  # ml_collections only where a config is read: grade starts without it

    if not any(arg.startswith("--config=") for arg in args):
        if required or args:
            raise UserError(f"procsup {job} needs --config=FILE[:arg], such as --config=configs/demo.py")
        return None
    return settings.load(args)
