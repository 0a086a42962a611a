"""From a ConfigDict to frozen dataclasses: the only reader of configuration."""

from __future__ import annotations

import collections
import dataclasses
import difflib
import pathlib
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypeVar

import absl.flags
import ml_collections
from ml_collections import config_flags

from procsup_jax.errors import UserError

T = TypeVar("T")
Config: TypeAlias = ml_collections.ConfigDict
_KINDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def to_config(settings: Any) -> Config:
    """Return a ConfigDict with the fields of a settings dataclass, for a config file to change and hand on."""
    return Config(dataclasses.asdict(settings), type_safe=True)


def from_config(cls: type[T], config: Mapping[str, Any] | Config, path: str = "config") -> T:
    """Return the dataclass `cls` that a nested mapping describes; fields it lacks keep their defaults.

    Raises:
      UserError: an unknown key (with the nearest valid one) or a value of another type, named by its dotted `path`.

    """
    hints = typing.get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    values = {}
    for key in config:
        if key not in names:
            raise unknown_key(f"{path}.{key}", [f"{path}.{name}" for name in names])
        values[key] = _convert(hints[key], config[key], f"{path}.{key}")
    return cls(**values)


def unknown_key(key: str, known: list[str]) -> UserError:
    """Return the error for a configuration key that does not exist, naming the nearest one that does."""
    parent, _, leaf = key.rpartition(".")
    siblings = [name.rsplit(".", 1)[-1] for name in known if name.rpartition(".")[0] == parent]
    near = [f"{parent}.{name}" for name in difflib.get_close_matches(leaf, siblings, n=1, cutoff=0.5)]
    elsewhere = [name for name in known if name.rpartition(".")[0] != parent]
    near = near or difflib.get_close_matches(key, elsewhere, n=1, cutoff=0.8)
    hint = f"did you mean {near[0]}?" if near else f"known there: {', '.join(siblings) or 'nothing'}"
    return UserError(f"unknown setting {key}; {hint}")


def _convert(kind: Any, value: Any, path: str) -> Any:
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, (Mapping, ml_collections.ConfigDict)):
            raise _ill_typed(path, value, "a group of settings")
        return from_config(typing.cast(type, kind), value, path)
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        if value not in args:
            raise _ill_typed(path, value, "one of " + ", ".join(map(str, args)))
        return value
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in args:
            return None
        return _convert(next(arg for arg in args if arg is not type(None)), value, path)
    if origin in (tuple, collections.abc.Sequence):
        if not isinstance(value, (tuple, list)):
            raise _ill_typed(path, value, 'a tuple such as "(1, 2)"')
        kinds = [args[0]] * len(value) if args[-1] is Ellipsis or origin is not tuple else list(args)
        if len(kinds) != len(value):
            raise _ill_typed(path, value, f"a tuple of {len(kinds)}")
        return tuple(
            _convert(each, item, f"{path}[{i}]") for i, (each, item) in enumerate(zip(kinds, value, strict=True))
        )
    if origin in (dict, collections.abc.Mapping):
        return {key: _convert(args[1], value[key], f"{path}.{key}") for key in value}
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind in (int, float, str, bool) and type(value) is not kind:
        raise _ill_typed(path, value, _KINDS[kind])
    return value


def _ill_typed(path: str, value: Any, expected: str) -> UserError:
    return UserError(f"setting {path} is {value!r}, expected {expected}; pass --{path}=VALUE of that kind")


def flatten(settings: Any, path: str = "config") -> dict[str, Any]:
    """Return dotted name -> value of every leaf of a settings dataclass, nested mapping or plain value."""
    return dict(_leaves(dataclasses.asdict(settings) if dataclasses.is_dataclass(settings) else settings, path))  # type: ignore[arg-type]


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, (Mapping, ml_collections.ConfigDict)) and value:
        for key in value:
            yield from _leaves(value[key], f"{path}.{key}")
    else:
        yield path, list(value) if isinstance(value, tuple) else value


def load(args: Sequence[str]) -> Config:
    """Return the ConfigDict of `--config=NAME[:ARG]` or `--config=FILE[:ARG]` among `args`, with their changes.

    The file is Python and is run. `--config.key=value` is a change.

    Raises:
      UserError: a missing or faulty file, an unknown key, or a value of another type.

    """
    [given] = [arg.split("=", 1)[1] for arg in args if arg.startswith("--config=")][-1:]
    name, colon, argument = given.partition(":")
    spec = f"{config_file(name)}{colon}{argument}"
    changes = [arg for arg in args if not arg.startswith("--config=")]
    config = _parse(["", f"--config={spec}"], given)
    known = list(flatten(config))
    for arg in changes:
        key, has_value, _ = arg.removeprefix("--").partition("=")
        if not has_value:
            raise UserError(f"--{key} has no value; write --{key}=VALUE")
        if key not in known:
            raise unknown_key(key, known)
    return _parse(["", f"--config={spec}", *changes], given) if changes else config


def config_names() -> list[str]:
    """Return the names of the configurations that come with the package."""
    return sorted(path.stem for path in _configs_folder().glob("*.py"))


def config_file(name: str) -> pathlib.Path:
    """Return the file of a configuration: a path, or the name of one that comes with the package.

    configs/NAME.py is that one too, where no such file is at hand. Raises UserError when there is none.
    """
    path = pathlib.Path(name)
    shipped = _configs_folder() / f"{path.stem}.py"
    is_name = path.name == name and path.suffix == ""
    if not is_name and path.is_file():
        return path
    if shipped.is_file() and (is_name or path == pathlib.Path("configs", shipped.name)):
        return shipped
    names = config_names()
    near = difflib.get_close_matches(path.stem, names, n=1)
    hint = f"did you mean {near[0]}?" if near else "or pass the path of a file"
    raise UserError(f"no configuration {'' if is_name else 'file '}{name}; procsup has {', '.join(names)}; {hint}")


def _configs_folder() -> pathlib.Path:
    """Return the folder of the configurations: the repository's, which an installed package has in itself."""
    package = pathlib.Path(__file__).parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def _parse(argv: list[str], spec: str) -> Config:
    values = absl.flags.FlagValues()
    config_flags.DEFINE_config_file("config", flag_values=values, sys_argv=argv)
    try:
        values(argv)
        return values["config"].value
    except UserError:
        raise
    except absl.flags.Error as error:
        raise UserError(str(error).strip().splitlines()[-1]) from error
    except Exception as error:
        raise UserError(f"cannot read the configuration {spec}: {type(error).__name__}: {error}") from error
