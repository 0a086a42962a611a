"""A stage as data: what it reads, what it writes, and the function between them."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from procsup_jax.runner.artefacts import Artefact
from procsup_jax.runner.view import Fact, Setting

FITS = "train"

S = TypeVar("S")
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Stage:
    """Describe one stage; two with equal fields are the same.

    `function(context, *args)` returns a mapping from each of `outputs` to its value. It reads settings from the
    context alone and artefacts with `context.read`, draws nothing at random but by seeds from there, and changes
    nothing else: then its outputs are a function of the settings that it reads and of its inputs. It imports what is
    slow to import itself, so that a graph can be made and listed without it.
    """

    name: str
    function: Callable[..., Mapping[Any, Any]]
    args: tuple[Any, ...] = ()
    inputs: Sequence[Artefact[Any]] = ()
    outputs: Sequence[Artefact[Any]] = ()
    newer: Sequence[Artefact[Any]] = ()
    """Inputs that markers of earlier versions lack; they are compared where they are there."""
    takes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Settings that have another one's value here, or a plain value: see `runner.view.Known`."""
    shaped_by: Sequence[Setting] = ()
    """Settings that the recipe has read to make it what it is, such as which inputs it has: noted like those that its
    function reads."""
    facts: Sequence[Fact] = ()
    """What it depends on outside the run."""
    always: bool = False
    """Whether it runs every time and leaves no marker, as what gathers and prints does."""
    together: bool = False
    """Whether, of several processes, all call its function, each with a share of the work, and then together write the
    outputs (`Artefact.write_together`); otherwise the first does all, while the others wait."""

    def __post_init__(self) -> None:
        for name in ("inputs", "outputs", "newer", "shaped_by", "facts"):
            object.__setattr__(self, name, tuple(dict.fromkeys(getattr(self, name))))

    @property
    def all_inputs(self) -> tuple[Artefact[Any], ...]:
        """Return all inputs."""
        return (*self.inputs, *self.newer)


@dataclasses.dataclass(frozen=True, eq=False)
class Context(Generic[S]):
    """Hold what a stage's function may see of the run.

    `settings` notes what is read of it (`runner.view`). `folder` is the run's; a function writes there only below
    `scratch`, and the runner writes its outputs.
    """

    settings: S
    stage: Stage
    folder: pathlib.Path
    scratch: pathlib.Path
    """A local folder for what a stage keeps to go on from when it is killed; no output."""
    reader: Callable[[Artefact[Any]], Any]
    wall_clock: Callable[[], Mapping[str, float]]
    after: list[Callable[[], None]] = dataclasses.field(default_factory=list)

    def read(self, artefact: Artefact[T]) -> T:
        """Return an input; raise ValueError for what the stage has not declared as one."""
        if artefact not in self.stage.all_inputs:
            raise ValueError(f"stage {self.stage.name} reads {artefact.path}, which is not among its inputs")
        found: T = self.reader(artefact)
        return found

    @property
    def fits(self) -> pathlib.Path:
        """Return the folder of fits, which may be in an object store: they keep what is local in `scratch`."""
        return self.folder / FITS

    def path(self, artefact: Artefact[Any]) -> pathlib.Path:
        """Return where an artefact lies, for messages."""
        return self.folder / artefact.path

    def when_written(self, done: Callable[[], None]) -> None:
        """Call `done`, in the first process, when the outputs are safe: to remove what was kept to go on from."""
        self.after.append(done)
