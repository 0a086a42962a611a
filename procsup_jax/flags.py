"""Flags of the `procsup` jobs: a job's function says with its parameters which there are.

A parameter is a flag. One whose type is a `Flags` dataclass stands for its fields, each a flag; one of another
dataclass for dotted flags, such as `--mesh.data`; one named `config` for a file of settings of its type. A trailing
underscore, where Python reserves a word, is left out. What `--help` says of a flag stands beside it: in `flag(...)`, in
`Annotated[type, About(...)]`, or in the string after a field.
"""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

from procsup_jax import places
from procsup_jax.docstrings import field_docs
from procsup_jax.ranges import check

CONFIG = "config"
_REQUIRED = inspect.Parameter.empty


class Flags:
    """Mark a frozen dataclass whose fields are flags of the same names, with the ranges that their types give."""

    def __post_init__(self) -> None:
        check(self)


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


def settings_of(run: Callable[..., Any]) -> type | None:
    """Return the class of the settings that a job's function takes as `config`, None where it takes none."""
    return typing.get_type_hints(run).get(CONFIG)


def needs_config(run: Callable[..., Any]) -> bool:
    """Say whether a job's function cannot do without a `config`, as that has no default."""
    parameter = inspect.signature(run).parameters.get(CONFIG)
    return parameter is not None and parameter.default is _REQUIRED


def _shown(name: str) -> str:
    return name.removesuffix("_")


def _parted(hint: Any) -> tuple[Any, About]:
    """Return a type, and what an annotation says about it."""
    if typing.get_origin(hint) is typing.Annotated:
        said = [each for each in hint.__metadata__ if isinstance(each, About)]
        return hint.__origin__, said[0] if said else About("")
    return hint, About("")
