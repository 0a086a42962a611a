"""From the arguments of a `procsup` job to those of its function."""

from __future__ import annotations

import os
import pathlib
import typing
from collections.abc import Callable, Sequence
from typing import Any

from absl import flags

from procsup_jax import places, remote
from procsup_jax.errors import UserError
from procsup_jax.flags import Flag, Flags, flags_of
from procsup_jax.ranges import BadValue


def parse(job: str, run: Callable[..., Any], argv: Sequence[str]) -> dict[str, Any]:
    """Return the arguments of a job's function, `config` apart.

    Raises UserError for a missing or faulty flag, and where what it reads is not there or what it writes cannot be.
    """
    known, values = flags_of(run), flags.FlagValues()
    for each in known:
        _define(values, each)
    try:
        rest = values([f"procsup {job}", *argv])[1:]
    except flags.Error as error:
        raise UserError(f"{error}; see procsup {job} --help") from error
    if rest:
        raise UserError(f"procsup {job} takes only --flag=value, found {rest[0]!r}; see procsup {job} --help")
    arguments: dict[str, Any] = {}
    groups: dict[str, dict[str, Any]] = {}
    for each in known:
        value = values[each.name].value
        if each.required and (value is None or value == []):
            raise UserError(f"procsup {job} needs --{each.name}; see procsup {job} --help")
        into = arguments if each.field is None else groups.setdefault(each.parameter, {})
        into[each.field or each.parameter] = _typed(each, value)
    hints = typing.get_type_hints(run)
    return arguments | {name: _made(job, name, hints[name], fields) for name, fields in groups.items()}


def _made(job: str, parameter: str, cls: Any, fields: dict[str, Any]) -> Any:
    """Return the dataclass of some flags; raise UserError naming the flag whose value is out of range."""
    prefix = "" if issubclass(cls, Flags) else f"{parameter}."
    try:
        return cls(**fields)
    except BadValue as error:
        name = prefix + error.field.removesuffix("_")
        raise UserError(f"--{name}={error.value}: expected {error.expected}; see procsup {job} --help") from error


def config_arguments(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the arguments that are about a configuration file, and the others."""
    about = [arg for arg in argv if arg == "--config" or arg.startswith(("--config=", "--config."))]
    return about, [arg for arg in argv if arg not in about]


def _define(values: flags.FlagValues, each: Flag) -> None:
    default, name = (None if each.required else each.default), each.name
    if typing.get_origin(each.kind) in (Sequence, tuple, list):
        flags.DEFINE_multi_string(name, list(default or []), "", flag_values=values)
    elif each.choices:
        flags.DEFINE_enum(name, default, [str(choice) for choice in each.choices], "", flag_values=values)
    elif each.kind is bool:
        flags.DEFINE_boolean(name, default, "", flag_values=values)
    elif each.kind is int:
        flags.DEFINE_integer(name, default, "", flag_values=values)
    elif each.kind is float:
        flags.DEFINE_float(name, default, "", flag_values=values)
    else:
        flags.DEFINE_string(name, None if default is None else str(default), "", flag_values=values)


def _typed(each: Flag, value: Any) -> Any:
    """Return a flag's value in its type, once what it names is found to be as it should."""
    if isinstance(value, list):
        is_path = pathlib.Path in typing.get_args(each.kind)
        return tuple(_checked(each, remote.path_of(item) if is_path else item, item) for item in value)
    if value is None:
        return None
    return _checked(each, remote.path_of(value) if each.kind is pathlib.Path else value, value)


def _checked(each: Flag, value: Any, given: Any) -> Any:
    if isinstance(value, os.PathLike) and given == "":
        raise UserError(f"--{each.name}= is empty; expected a path")
    if each.about.reads is not None:
        places.check_read(each.name, value, each.about.reads)
    if each.about.writes is not None:
        places.check_written(each.name, value, each.about.writes)
    return value
