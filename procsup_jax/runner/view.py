"""Settings that note which of them are read: what a stage has read is what it is held to.

A stage is a function of the settings that it reads and of its inputs. Which ones it reads may itself depend on values
that it has read before; but those are noted too. So where every noted setting still has its value, and every input its
bytes, the function would take the same branches, read the same settings, and give the same outputs: settings that are
not noted cannot matter, whatever they are now. That is why a finished stage is held to its notes alone, and why they
can be compared before anything runs.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, cast

from procsup_jax.errors import UserError
from procsup_jax.free import is_free
from procsup_jax.settings import flatten

T = TypeVar("T")
ROOT = "config"
ABSENT = object()
"""Stands for the value of a setting that there is not."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """Name a setting by its dotted path, `config.` left out; in `Stage.takes` another setting has its value."""

    path: str

    @property
    def flag(self) -> str:
        """Return the name of the flag that sets it, without the dashes."""
        return f"{ROOT}.{self.path}"


@dataclasses.dataclass(frozen=True)
class Fact:
    """Tell something of the world outside the run that a stage depends on, such as the digest of another folder.

    `value` gives it from the whole settings; `set_by` is the setting that decides it.
    """

    name: str
    value: Callable[[Any], str]
    set_by: Setting


@dataclasses.dataclass
class Notes:
    """Hold what was read: values by dotted path, as JSON gives them back, and the groups that were taken whole."""

    values: dict[str, Any] = dataclasses.field(default_factory=dict)
    whole: set[str] = dataclasses.field(default_factory=set)


@dataclasses.dataclass(frozen=True)
class Known:
    """Hold the settings of a run as one stage sees them: some may be taken from elsewhere.

    `takes` maps paths of settings, `config.` left out, to the `Setting` whose value each has, or to a plain value.
    """

    settings: Any
    takes: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def leaf(self, path: str) -> Any:
        """Return the value of `config.a.b`, ABSENT where there is no such setting."""
        _, _, inner = path.partition(".")
        taken = self.takes.get(inner, ABSENT)
        if isinstance(taken, Setting):
            return self.leaf(taken.flag)
        if taken is not ABSENT:
            return taken
        found, is_there = _follow(self.settings, path)
        return found if is_there and not dataclasses.is_dataclass(found) else ABSENT

    def group(self, path: str) -> Any:
        """Return the dataclass of a group, what it takes from elsewhere put into it."""
        found, _ = _follow(self.settings, path)
        return self._filled(found, path)

    def _filled(self, group: Any, path: str) -> Any:
        changes = {}
        for field in dataclasses.fields(group):
            value, inner = getattr(group, field.name), f"{path}.{field.name}"
            if dataclasses.is_dataclass(value):
                changes[field.name] = self._filled(value, inner)
            elif inner.removeprefix(f"{ROOT}.") in self.takes:
                changes[field.name] = self.leaf(inner)
        changes = {name: value for name, value in changes.items() if value != getattr(group, name)}
        return dataclasses.replace(group, **changes) if changes else group

    def flag(self, path: str) -> str:
        """Return the name of the flag that sets what a stage finds at `path`."""
        taken = self.takes.get(path.partition(".")[2])
        return taken.flag if isinstance(taken, Setting) else path

    def is_free(self, path: str) -> bool:
        """Say whether a setting, or a group that it stands in, is marked as one that no result depends on."""
        group = self.settings
        for name in path.split(".")[1:]:
            if not dataclasses.is_dataclass(group) or not hasattr(group, name):
                return False
            if is_free(type(group), name):
                return True
            group = getattr(group, name)
        return False

    def held_leaves(self, path: str) -> Iterator[tuple[str, Any, Any]]:
        """Yield the settings of a group that results may depend on: path, value, and the default of its class."""
        found, is_there = _follow(self.settings, path)
        if is_there and dataclasses.is_dataclass(found):
            defaults = flatten(_default(type(found)), path)
            for each, value in flatten(self.group(path), path).items():
                if not self.is_free(each):
                    yield each, as_json(value), as_json(defaults.get(each, ABSENT))


def as_json(value: Any) -> Any:
    """Return a value as JSON gives it back, with lists for tuples."""
    return value if value is ABSENT else json.loads(json.dumps(value))


class View:
    """Look like a settings dataclass, and note what is read of it; groups are views too, see `whole`."""

    def __init__(self, known: Known, notes: Notes | None, path: str = ROOT) -> None:
        self._known, self._notes, self._path = known, notes, path

    def __getattr__(self, name: str) -> Any:
        """Return a setting and note its value; raise UserError where there is none of this name."""
        if name.startswith("__"):
            raise AttributeError(name)
        path = f"{self._path}.{name}"
        found, is_there = _follow(self._known.settings, path)
        if not is_there:
            raise UserError(f"a stage reads the setting {path}, which the recipe's settings lack; add a field for it")
        notes = None if self._known.is_free(path) else self._notes
        if dataclasses.is_dataclass(found):
            return View(self._known, notes, path)
        value = self._known.leaf(path)
        if notes is not None:
            notes.values[path] = as_json(value)
        return value

    def _whole(self) -> Any:
        if self._notes is not None:
            self._notes.whole.add(self._path)
            self._notes.values |= {path: value for path, value, _ in self._known.held_leaves(self._path)}
        return self._known.group(self._path)


def whole(group: T) -> T:
    """Return the settings of a view as the dataclass that they are, for functions that take one; all are noted."""
    return cast(T, group._whole()) if isinstance(group, View) else group


def _follow(settings: Any, path: str) -> tuple[Any, bool]:
    """Return what stands at a dotted path, and whether anything does."""
    for name in path.split(".")[1:]:
        if not dataclasses.is_dataclass(settings) or name not in {field.name for field in dataclasses.fields(settings)}:
            return None, False
        settings = getattr(settings, name)
    return settings, True


def _default(cls: Any) -> Any:
    """Return what the defaults of a settings class are, those without one left out."""
    found = {}
    for field in dataclasses.fields(cls):
        if field.default is not dataclasses.MISSING:
            found[field.name] = field.default
        elif field.default_factory is not dataclasses.MISSING:
            found[field.name] = field.default_factory()
    return {
        name: dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value  # type: ignore[arg-type]
        for name, value in found.items()
    }
