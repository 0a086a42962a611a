"""Flags of the `procsup` jobs: a job's function says with its parameters which there are.

A parameter is a flag. One whose type is a `Flags` dataclass stands for its fields, each a flag; one of another
dataclass for dotted flags, such as `--mesh.data`. A trailing underscore, where Python reserves a word, is left out.
"""

from __future__ import annotations

import dataclasses
import inspect
import pathlib
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any

from absl import flags

from procsup_jax.errors import UserError
from procsup_jax.ranges import BadValue, check

CONFIG = "config"
_REQUIRED = inspect.Parameter.empty


class Flags:
    """Mark a frozen dataclass whose fields are flags of the same names, with the ranges that their types give."""

    def __post_init__(self) -> None:
        check(self)


def flag(description: str, default: Any = dataclasses.MISSING) -> Any:
    """Return a dataclass field with what `--help` says of it; without a default it has to be given."""
    return dataclasses.field(default=default, metadata={"description": description})


@dataclasses.dataclass(frozen=True)
class Flag:
    """Describe one flag: its name, type and default, and which parameter (and which field of it) it sets."""

    name: str
    hint: Any
    default: Any
    description: str
    parameter: str
    field: str | None = None

    @property
    def required(self) -> bool:
        """Say whether it has to be given."""
        return self.default is _REQUIRED


def flags_of(run: Callable[..., Any]) -> list[Flag]:
    """Return the flags of a job's function, `config` apart."""
    hints, found = typing.get_type_hints(run), []
    for name, parameter in inspect.signature(run).parameters.items():
        if name == CONFIG:
            continue
        if not dataclasses.is_dataclass(hints[name]):
            found.append(Flag(_shown(name), hints[name], parameter.default, "", name))
            continue
        prefix = "" if issubclass(hints[name], Flags) else f"{_shown(name)}."
        fields = typing.get_type_hints(hints[name])
        for field in dataclasses.fields(hints[name]):
            default = _REQUIRED if field.default is dataclasses.MISSING else field.default
            described = str(field.metadata.get("description", ""))
            found.append(Flag(prefix + _shown(field.name), fields[field.name], default, described, name, field.name))
    return found


def parse(job: str, run: Callable[..., Any], argv: Sequence[str]) -> dict[str, Any]:
    """Return the arguments of a job's function, `config` apart; raise UserError for a missing or faulty flag."""
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
        if each.field is not None:
            groups.setdefault(each.parameter, {})[each.field] = _typed(each.hint, value)
        else:
            arguments[each.parameter] = _typed(each.hint, value)
    hints = typing.get_type_hints(run)
    return arguments | {name: _made(job, name, hints[name], fields) for name, fields in groups.items()}


def _made(job: str, parameter: str, cls: Any, fields: dict[str, Any]) -> Any:
    """Return the dataclass of some flags; raise UserError naming the flag whose value is out of range."""
    prefix = "" if issubclass(cls, Flags) else f"{_shown(parameter)}."
    try:
        return cls(**fields)
    except BadValue as error:
        name = prefix + _shown(error.field)
        raise UserError(f"--{name}={error.value}: expected {error.expected}; see procsup {job} --help") from error


def usage(job: str, run: Callable[..., Any]) -> str:
    """Return what `procsup JOB --help` prints."""
    rows = []
    for each in flags_of(run):
        default = "required" if each.required else f"default {_default(each.default)}"
        [kind, *_] = _kinds(each.hint)
        choices = f"one of {', '.join(map(str, typing.get_args(kind)))}; " if _is_literal(kind) else ""
        rows.append((f"--{each.name}", "; ".join(filter(None, (each.description, f"{choices}{default}")))))
    if takes_config(run):
        rows.append(("--config", "a configuration file, FILE[:arg], with --config.key=value for single settings"))
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(
        [f"procsup {job}: {inspect.getdoc(run)}", "", "flags:", *(f"  {name:<{width}}  {text}" for name, text in rows)]
    )


def _shown(name: str) -> str:
    return name.removesuffix("_")


def _default(value: Any) -> str:
    return str(value) if isinstance(value, pathlib.Path) else repr(value)


def _is_literal(hint: Any) -> bool:
    return typing.get_origin(hint) is typing.Literal


def _kinds(hint: Any) -> tuple[Any, ...]:
    """Return the types that a hint allows, None apart."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return tuple(kind for kind in typing.get_args(hint) if kind is not type(None))
    return (hint,)


def _define(values: flags.FlagValues, each: Flag) -> None:
    default, [kind, *_] = (None if each.required else each.default), _kinds(each.hint)
    name, origin = each.name, typing.get_origin(kind)
    if origin in (Sequence, tuple, list):
        flags.DEFINE_multi_string(name, list(default or []), "", flag_values=values)
    elif origin is typing.Literal:
        flags.DEFINE_enum(name, default, [str(choice) for choice in typing.get_args(kind)], "", flag_values=values)
    elif kind is bool:
        flags.DEFINE_boolean(name, default, "", flag_values=values)
    elif kind is int:
        flags.DEFINE_integer(name, default, "", flag_values=values)
    elif kind is float:
        flags.DEFINE_float(name, default, "", flag_values=values)
    else:
        flags.DEFINE_string(name, None if default is None else str(default), "", flag_values=values)


def _typed(hint: Any, value: Any) -> Any:
    [kind, *_] = _kinds(hint)
    if isinstance(value, list):
        items = typing.get_args(kind)
        return tuple(pathlib.Path(item) if pathlib.Path in items else item for item in value)
    return pathlib.Path(value) if kind is pathlib.Path and value is not None else value


def config_arguments(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the arguments that are about a configuration file, and the others."""
    about = [arg for arg in argv if arg == "--config" or arg.startswith(("--config=", "--config."))]
    return about, [arg for arg in argv if arg not in about]


def takes_config(run: Callable[..., Any]) -> bool:
    """Say whether a job's function has a parameter `config`."""
    return CONFIG in inspect.signature(run).parameters


def needs_config(run: Callable[..., Any]) -> bool:
    """Say whether a job's function cannot do without a `config`, as its type has no None."""
    return takes_config(run) and type(None) not in typing.get_args(typing.get_type_hints(run)[CONFIG])
