"""Artefacts: files and folders of a run by their names there, each with how it is read and written."""

from __future__ import annotations

import abc
import dataclasses
import json
import pathlib
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from procsup_jax import files, processes

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Artefact(abc.ABC, Generic[T_co]):
    """Be a file or folder that one stage writes and others read: a frozen dataclass of what its name is made of."""

    kept: ClassVar[bool] = False
    """Whether what was read is kept for the next stage that reads the same bytes; it must not be changed."""

    @property
    @abc.abstractmethod
    def path(self) -> str:
        """Return its name in the run's folder, such as `samples/sft.test.jsonl`."""

    @property
    def files(self) -> tuple[str, ...]:
        """Return the names of the files whose bytes say whether it has changed."""
        return (self.path,)

    @abc.abstractmethod
    def read(self, path: pathlib.Path) -> T_co:
        """Read it from where it lies; raise UserError for a file that is missing or damaged."""

    @abc.abstractmethod
    def write(self, path: pathlib.Path, value: Any) -> None:
        """Write what a stage has made of it, whole or not at all."""

    def write_together(self, path: pathlib.Path, value: Any) -> None:
        """Write what several processes have made of it together, all of which call: here the first writes."""
        if processes.is_first():
            self.write(path, value)


class Reads(Protocol):
    """Be what artefacts are read from: a stage's context, or a run's folder."""

    def read(self, artefact: Artefact[T]) -> T:
        """Return an artefact."""


@dataclasses.dataclass(frozen=True)
class Json(Artefact[Any]):
    """One JSON value, its lines indented by `indent`, all on one line without."""

    name: str
    indent: int | None = 1

    @property
    def path(self) -> str:
        """Return the name."""
        return self.name

    def read(self, path: pathlib.Path) -> Any:
        """Read the value."""
        with files.explain_os_errors(path, "read"):
            return json.loads(path.read_text(encoding="utf-8"))

    def write(self, path: pathlib.Path, value: Any) -> None:
        """Write the value."""
        files.write_text(path, json.dumps(value, indent=self.indent) + "\n")


@dataclasses.dataclass(frozen=True)
class JsonRows(Artefact[Sequence[Any]]):
    """JSON values, one a line."""

    name: str

    @property
    def path(self) -> str:
        """Return the name."""
        return self.name

    def read(self, path: pathlib.Path) -> Sequence[Any]:
        """Read the values."""
        with files.explain_os_errors(path, "read"):
            return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def write(self, path: pathlib.Path, value: Sequence[Any]) -> None:
        """Write the values."""
        files.write_text(path, "".join(json.dumps(each) + "\n" for each in value))
