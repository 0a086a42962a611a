"""From a ConfigDict to frozen dataclasses: the only reader of configuration."""

from __future__ import annotations

import dataclasses
import difflib
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import absl.flags
import ml_collections
from ml_collections import config_flags

from procsup_jax import fields
from procsup_jax.errors import UserError
from procsup_jax.fields import unknown_key
from procsup_jax.ranges import BadValue

T = TypeVar("T")
Config: TypeAlias = ml_collections.ConfigDict


def to_config(settings: Any) -> Config:
    """Return a ConfigDict with the fields of a settings dataclass, for a config file to change and hand on."""
    return Config(dataclasses.asdict(settings), type_safe=True)


def from_config(cls: type[T], config: Mapping[str, Any] | Config, path: str = "config") -> T:
    """Return the dataclass `cls` that a nested mapping describes; fields it lacks keep their defaults.

    Raises:
      UserError: an unknown key (with the nearest valid one), a value of another type or out of its range, and values
        that do not go together, named by their dotted `path`.

    """
    values = config.to_dict() if isinstance(config, ml_collections.ConfigDict) else config
    try:
        return fields.build(cls, values, path)
    except BadValue as error:
        shown, flag = repr(error.value), error.field.partition("[")[0]
        raise UserError(
            f"setting {error.field} is {shown if len(shown) <= 80 else shown[:80] + '...'}, expected {error.expected}; "
            f"pass --{flag}=VALUE of that kind"
        ) from error


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
