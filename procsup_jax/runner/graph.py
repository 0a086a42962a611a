"""An experiment as a graph of stages: made, listed and drawn before anything runs."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import json
from collections.abc import Iterable, Iterator, Mapping

from procsup_jax.errors import UserError
from procsup_jax.runner.stage import Stage


@dataclasses.dataclass(frozen=True)
class Graph:
    """Hold the stages of an experiment in an order in which they can run, each after those whose outputs it reads.

    `whole_before` are the groups of settings, such as `config.sample`, that markers from before that was noted hold
    whole. Raises ValueError where two stages share a name or an output, and where one reads what a later one makes.
    """

    stages: tuple[Stage, ...]
    whole_before: tuple[str, ...] = ()

    @classmethod
    def of(cls, stages: Iterable[Stage], whole_before: tuple[str, ...] = ()) -> Graph:
        """Return the graph of stages in this order; one that comes up again is the same."""
        found: dict[str, Stage] = {}
        for stage in stages:
            if found.setdefault(stage.name, stage) != stage:
                raise ValueError(f"two different stages are called {stage.name}")
        return cls(tuple(found.values()), whole_before)

    def __post_init__(self) -> None:
        made: dict[str, str] = {}
        later = {file for stage in self.stages for each in stage.outputs for file in each.files}
        for stage in self.stages:
            own = [file for each in stage.outputs for file in each.files]
            early = [file for each in stage.all_inputs for file in each.files if file in later and file not in made]
            if early:
                raise ValueError(f"stage {stage.name} reads {early[0]}, which no stage before it makes")
            for file in own:
                if file in made:
                    raise ValueError(f"stages {made[file]} and {stage.name} both make {file}")
                made[file] = stage.name

    def __getitem__(self, name: str) -> Stage:
        """Return a stage by its name; raise UserError where there is none."""
        if name not in self._by_name:
            near = difflib.get_close_matches(name, self._by_name, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(self._by_name)}"
            raise UserError(f"this experiment has no stage {name}; {hint}")
        return self._by_name[name]

    @functools.cached_property
    def _by_name(self) -> Mapping[str, Stage]:
        return {stage.name: stage for stage in self.stages}

    @functools.cached_property
    def needs(self) -> Mapping[str, tuple[str, ...]]:
        """Return for each stage those whose outputs it reads itself."""
        maker = {each.path: stage.name for stage in self.stages for each in stage.outputs}
        return {
            stage.name: tuple(
                dict.fromkeys(maker[artefact.path] for artefact in stage.all_inputs if artefact.path in maker)
            )
            for stage in self.stages
        }

    def dependents(self, name: str) -> tuple[Stage, ...]:
        """Return the stages that read what a stage makes, or what is made of that, in the order in which they run."""
        reached = {self[name].name}
        for stage in self.stages:
            if reached.intersection(self.needs[stage.name]):
                reached.add(stage.name)
        return tuple(stage for stage in self.stages if stage.name in reached and stage.name != name)

    def only(self, names: Iterable[str]) -> Graph:
        """Return the graph of some stages alone."""
        kept = set(names)
        return Graph(tuple(stage for stage in self.stages if stage.name in kept), self.whole_before)

    def dot(self) -> str:
        """Return the graph in Graphviz's language, for `dot -Tsvg`."""
        return "\n".join(self._dot()) + "\n"

    def _dot(self) -> Iterator[str]:
        yield "digraph experiment {\n  rankdir=LR; node [shape=box, fontname=monospace];"
        for stage in self.stages:
            yield f"  {json.dumps(stage.name)};"
            yield from (f"  {json.dumps(need)} -> {json.dumps(stage.name)};" for need in self.needs[stage.name])
        yield "}"
