"""What `procsup JOB --help` prints: every flag and every setting, its type, what it is for and its default."""

from __future__ import annotations

import dataclasses
import inspect
import pathlib
import textwrap
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from procsup_jax import flags
from procsup_jax.flags import Flag

WIDTH = 100
_WIDEST = 38
_PLACEHOLDERS = {int: "N", float: "X", str: "TEXT", pathlib.Path: "PATH"}


def usage(job: str, run: Callable[..., Any], config: Any = None) -> str:
    """Return what `procsup JOB --help` prints; the settings' defaults are those of `config`, where that is given."""
    known = flags.flags_of(run)
    needed = [f"--{each.name}={_placeholder(each)}" for each in known if each.required]
    needed += ["--config=NAME|FILE"] if flags.needs_config(run) else []
    usage_line = " ".join([f"usage: procsup {job}", *needed, "[--flag=value ...]"])
    paragraphs = [_filled(usage_line, hanging=" " * 4), *_paragraphs(inspect.getdoc(run) or "")]
    own = [each for each in known if "." not in each.name]
    paragraphs.append("\n".join(["flags:", *_rows(own)]))
    if dotted := [each for each in known if "." in each.name]:
        paragraphs.append("\n".join(["devices:", *_rows(dotted)]))
    cls = flags.settings_of(run)
    if cls is not None:
        paragraphs += _about_config(job, cls, config)
    return "\n\n".join(paragraphs)


def example_of(job: str) -> str:
    """Return the name of a configuration for a job."""
    return "demo" if job == "run" else job


def _about_config(job: str, cls: type, config: Any) -> Iterator[str]:
    name = example_of(job)
    yield _filled(
        f"settings: --config={name} takes the configuration of this name that comes with procsup, --config=FILE one of "
        "yours, either with :ARG behind it where it takes an argument; --config.KEY=VALUE changes a setting of it. A "
        "configuration is a Python program, and is run: take none that you would not run."
    )
    if config is None:
        shown = f"the defaults, which configurations change; procsup {job} --config={name} --help shows what one sets"
    else:
        shown = "what the configuration given sets"
    yield _filled(f"All of them, with {shown}:")
    yield from _settings(cls() if config is None else config, flags.CONFIG, {})


def _settings(settings: Any, path: str, seen: dict[type, tuple[str, Any]]) -> Iterator[str]:
    """Yield a block for each group of settings; one of a kind seen before is described there."""
    cls = type(settings)
    fields = [dataclasses.replace(each, default=getattr(settings, each.field or "")) for each in flags.fields_of(cls)]
    groups = [each for each in fields if dataclasses.is_dataclass(each.default)]
    plain = [dataclasses.replace(each, name=f"{path}.{each.name}") for each in fields if each not in groups]
    if plain and cls in seen:
        yield _as_before(plain, path, *seen[cls])
    elif plain:
        yield "\n".join([_filled(f"{path}: {_summary(cls)}"), *_rows(plain, with_values=True)])
        seen[cls] = path, settings
    for each in groups:
        yield from _settings(each.default, f"{path}.{each.name}", seen)


def _as_before(plain: Sequence[Flag], path: str, other_path: str, other: Any) -> str:
    """Return the block of a group whose settings are described under another path."""
    others = [each for each in plain if each.default != getattr(other, each.field or "")]
    same = "  ".join(f"--{each.name}" for each in plain if each not in others)
    lines = [f"{path}: described at {other_path}, with other defaults here:"] if others else []
    lines += [line for each in others for line in _indented(f"--{each.name}={_value(each.default)}", hanging=4)]
    if same:
        same_alone = f"{path}: described at {other_path}, with the same defaults:"
        lines += ["  and the same defaults of" if others else same_alone, *_indented(same)]
    return "\n".join(lines)


def _summary(cls: type) -> str:
    return (inspect.getdoc(cls) or "").split("\n\n")[0].replace("\n", " ").split(" Raises ")[0]


def _rows(known: Sequence[Flag], *, with_values: bool = False) -> list[str]:
    """Return the lines of flags in two columns; a name too long for the first has its text below."""
    names = [
        f"  --{each.name}" if each.kind is bool and not with_values else f"  --{each.name}={_placeholder(each)}"
        for each in known
    ]
    column = min(max(map(len, names)) + 2, _WIDEST)
    lines = []
    for name, each in zip(names, known, strict=True):
        first, *others = _wrapped(_text(each), WIDTH - column)
        lines += [name.ljust(column) + first] if len(name) + 2 <= column else [name, " " * column + first]
        lines += [" " * column + line for line in others]
    return lines


def _text(each: Flag) -> str:
    said = each.about.description.rstrip(".")
    word = said.partition(" ")[0]
    if word[1:].islower() or len(word) == 1:  # no name, such as AdamW
        said = said[:1].lower() + said[1:]
    choices = [f"one of {', '.join(_value(choice) for choice in each.choices)}"] if each.choices else []
    default = "required" if each.required else f"default {_value(each.default)}"
    return f"{'; '.join([said, *choices])} ({default})"


def _placeholder(each: Flag) -> str:
    kind, about = each.kind, each.about
    if about.reads == "named file":
        return "NAME=FILE"
    if about.reads in ("file", "folder", "model"):
        return about.reads.upper()
    if about.writes is not None:
        return about.writes.upper()
    if each.choices:
        return "N" if all(isinstance(choice, int) for choice in each.choices) else "NAME"
    if typing.get_origin(kind) is not None:
        return "LIST"
    return "true|false" if kind is bool else _PLACEHOLDERS.get(kind, "VALUE")


def _value(value: Any) -> str:
    """Return a value as the command line takes it."""
    match value:
        case None | ():
            return "none" if value is None else "()"
        case bool():
            return str(value).lower()
        case "":
            return '""'
        case str() | pathlib.Path():
            return str(value)
        case tuple():
            return f'"{value!r}"'
        case _:
            return repr(value)


def _paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a docstring that are for users of the command."""
    return [_filled(each) for each in text.split("\n\n") if not each.startswith(("Returns", "Raises"))]


def _indented(text: str, hanging: int = 0) -> list[str]:
    first, *others = _wrapped(text, WIDTH - 2 - hanging)
    return [f"  {first}", *(" " * (2 + hanging) + line for line in others)]


def _filled(text: str, hanging: str = "") -> str:
    first, *others = _wrapped(" ".join(text.split()), WIDTH - len(hanging))
    return "\n".join([first, *(hanging + line for line in others)])


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
