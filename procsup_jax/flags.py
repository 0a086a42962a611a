"""Flags of the `procsup` jobs: a job's function says with its parameters which there are.

A parameter is a flag. One whose type is a `Flags` dataclass stands for its fields, each a flag; one of another
dataclass for dotted flags, such as `--mesh.data`; one named `config` for a file of settings of its type. A trailing
underscore, where Python reserves a word, is left out. What `--help` says of a flag stands beside it: in `flag(...)`, in
`Annotated[type, About(...)]`, or in the string after a field.
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

from procsup_jax import places
from procsup_jax.docstrings import field_docs
from procsup_jax.errors import UserError

CONFIG = "config"
_REQUIRED = inspect.Parameter.empty


class Flags:
    """Mark a frozen dataclass whose fields are flags of the same names."""


@dataclasses.dataclass(frozen=True)
class About:
    """Say what a flag is for, and what has to stand at the path that it takes before its job starts."""

    description: str
    reads: places.Read | None = None
    writes: places.Written | None = None


def flag(
    description: str,
    default: Any = dataclasses.MISSING,
    *,
    reads: places.Read | None = None,
    writes: places.Written | None = None,
) -> Any:
    """Return a dataclass field with what is to know `About` its flag; without a default it has to be given."""
    return dataclasses.field(default=default, metadata={"about": About(description, reads, writes)})


@dataclasses.dataclass(frozen=True)
class Flag:
    """Describe one flag: its name, type and default, and which parameter (and which field of it) it sets."""

    name: str
    hint: Any
    default: Any
    about: About
    parameter: str
    field: str | None = None

    @property
    def required(self) -> bool:
        """Say whether it has to be given."""
        return self.default is _REQUIRED

    @property
    def kind(self) -> Any:
        """Return its type, None apart."""
        if typing.get_origin(self.hint) in (typing.Union, types.UnionType):
            return next(kind for kind in typing.get_args(self.hint) if kind is not types.NoneType)
        return self.hint

    @property
    def choices(self) -> tuple[Any, ...]:
        """Return the values there are to choose from, none where any will do."""
        return typing.get_args(self.kind) if typing.get_origin(self.kind) is typing.Literal else ()


def flags_of(run: Callable[..., Any]) -> list[Flag]:
    """Return the flags of a job's function, `config` apart."""
    hints, found = typing.get_type_hints(run, include_extras=True), []
    for name, parameter in inspect.signature(run).parameters.items():
        if name == CONFIG:
            continue
        if dataclasses.is_dataclass(hints[name]):
            prefix = "" if issubclass(hints[name], Flags) else f"{_shown(name)}."
            found += [
                dataclasses.replace(each, name=prefix + each.name, parameter=name) for each in fields_of(hints[name])
            ]
        else:
            hint, about = _parted(hints[name])
            found.append(Flag(_shown(name), hint, parameter.default, about, name))
    return found


def fields_of(cls: type) -> list[Flag]:
    """Return the fields of a dataclass as flags."""
    hints, found = typing.get_type_hints(cls, include_extras=True), []
    for field in dataclasses.fields(cls):
        hint, about = _parted(hints[field.name])
        about = field.metadata.get("about") or about
        if not about.description:
            about = dataclasses.replace(about, description=field_docs(cls).get(field.name, ""))
        default = _REQUIRED if field.default is dataclasses.MISSING else field.default
        found.append(Flag(_shown(field.name), hint, default, about, "", field.name))
    return found


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
    return arguments | {name: hints[name](**fields) for name, fields in groups.items()}


def _shown(name: str) -> str:
    return name.removesuffix("_")


def _parted(hint: Any) -> tuple[Any, About]:
    """Return a type, and what an annotation says about it."""
    if typing.get_origin(hint) is typing.Annotated:
        said = [each for each in hint.__metadata__ if isinstance(each, About)]
        return hint.__origin__, said[0] if said else About("")
    return hint, About("")


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
        return tuple(_checked(each, pathlib.Path(item) if is_path else item, item) for item in value)
    if value is None:
        return None
    return _checked(each, pathlib.Path(value) if each.kind is pathlib.Path else value, value)


def _checked(each: Flag, value: Any, given: Any) -> Any:
    if isinstance(value, pathlib.Path) and given == "":
        raise UserError(f"--{each.name}= is empty; expected a path")
    if each.about.reads is not None:
        places.check_read(each.name, value, each.about.reads)
    if each.about.writes is not None:
        places.check_written(each.name, value, each.about.writes)
    return value


def config_arguments(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the arguments that are about a configuration file, and the others."""
    about = [arg for arg in argv if arg == "--config" or arg.startswith(("--config=", "--config."))]
    return about, [arg for arg in argv if arg not in about]


def settings_of(run: Callable[..., Any]) -> type | None:
    """Return the class of the settings that a job's function takes as `config`, None where it takes none."""
    return typing.get_type_hints(run).get(CONFIG)


def needs_config(run: Callable[..., Any]) -> bool:
    """Say whether a job's function cannot do without a `config`, as that has no default."""
    parameter = inspect.signature(run).parameters.get(CONFIG)
    return parameter is not None and parameter.default is _REQUIRED
