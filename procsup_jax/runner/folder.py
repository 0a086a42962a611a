"""The folder of a run: which stages are finished there, and how the others are run.

A finished stage leaves `stages/NAME.json`: the settings that it read, the SHA-256 of every file it read and wrote, how
long it took and what it compiled. The same command run again skips it; a changed setting that it read is an error that
names the key, before any stage runs; an input that is no longer the same makes the stage run again.
"""

from __future__ import annotations

import collections
import functools
import json
import operator
import pathlib
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from procsup_jax import files, processes, remote
from procsup_jax.runner.artefacts import Artefact
from procsup_jax.runner.graph import Graph
from procsup_jax.runner.markers import Change, Marker, changes, read_marker, refuse
from procsup_jax.runner.stage import FITS, Context, Stage
from procsup_jax.runner.view import Known, Notes, View, as_json

T = TypeVar("T")

# Compiling for less than this is not worth a line.
_SHOWN_COMPILE_S = 1.0
_MOST_KEPT = 16

State = Literal["finished", "new", "changed", "always"]
"""Of a stage: nothing to do; never run; run with other inputs, or what it made is no longer there; run every time."""


class RunFolder:
    """Hold the folder of one experiment, its settings, and what was read; it is made when the first stage runs."""

    def __init__(self, path: files.PathLike, settings: Any) -> None:
        self.path, self.settings = remote.path_of(path), settings
        self._digested: dict[str, tuple[object, str]] = {}
        self._markers_read: dict[str, tuple[object, Marker]] = {}
        self._kept: collections.OrderedDict[tuple[Artefact[Any], tuple[object, ...]], Any] = collections.OrderedDict()

    def run(self, graph: Graph) -> None:
        """Run every stage that is not finished; raises UserError as `check` does, before the first one.

        Of several processes all call. The first reads markers and digests, and tells the others what is to run.
        """
        processes.told("finished stages", functools.partial(self._begin, graph))
        if not remote.is_remote(self.path):
            processes.check_shared(self.path, "the workdir")
        for stage in graph.stages:
            sizes = processes.told(f"stage {stage.name}", functools.partial(self._due, stage))
            if sizes is None:
                continue
            if processes.is_first():
                self._run(stage)
            elif stage.together:
                self._await(sizes)
                self._call(stage, View(Known(self.settings, stage.takes), None))
        processes.wait("end of the run", processes.ALONE_S)

    def check(self, graph: Graph) -> None:
        """Raise UserError for a finished stage that has read other settings, and for markers that are none."""
        self.check_markers()
        for stage in graph.stages:
            if found := self.changes(graph, stage):
                raise refuse(self.path, stage.name, found)

    def check_markers(self) -> None:
        """Raise UserError for a file among the markers that is none."""
        for path in self._markers():
            self._read_marker(path.name)

    def changes(self, graph: Graph, stage: Stage) -> list[Change]:
        """Return the settings in which a finished stage differs from today's."""
        done = None if stage.always else self._marker(stage)
        if done is None:
            return []
        return changes(done, Known(self.settings, stage.takes), stage.facts, graph.whole_before)

    def state(self, stage: Stage) -> State:
        """Return what is to do about a stage, its settings apart."""
        if stage.always:
            return "always"
        done = self._marker(stage)
        if done is None:
            return "new"
        newer = [name for name in _files(stage.newer) if name in done.inputs]
        is_same = self._unchanged(done.inputs, [*_files(stage.inputs), *newer])
        return "finished" if is_same and self._unchanged(done.outputs, _files(stage.outputs)) else "changed"

    def read(self, artefact: Artefact[T]) -> T:
        """Return an artefact of the run."""
        stamps = [remote.stamp(self.path / name) for name in artefact.files] if artefact.kept else [None]
        if None in stamps:
            return artefact.read(self.path / artefact.path)
        key = artefact, tuple(stamps)
        found: T = self._kept[key] if key in self._kept else artefact.read(self.path / artefact.path)
        self._kept[key] = found
        self._kept.move_to_end(key)
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return found

    def wall_clock(self) -> dict[str, float]:
        """Return the seconds that each finished stage took, in the order in which they finished."""
        markers = sorted(self._markers(), key=remote.modified)
        return {marker.stem: self._read_marker(marker.name).wall_clock_s for marker in markers}

    def _begin(self, graph: Graph) -> None:
        self.check(graph)
        files.make_folder(self.path)

    def _due(self, stage: Stage) -> dict[str, int] | None:
        """Return None for a stage that is finished, otherwise how large the files are that every process will read."""
        if self.state(stage) == "finished":
            return None
        names = _files(stage.all_inputs) if stage.together and processes.count() > 1 else []
        return {name: remote.size(self.path / name) for name in names}

    def _await(self, sizes: Mapping[str, int]) -> None:
        """Return when this process sees the files that the first has written; raises UserError where it does not."""

        def is_whole(path: pathlib.Path, size: int) -> bool:
            return path.is_file() and remote.size(path) == size

        for name, size in sizes.items():
            path, remedy = self.path / name, "give a --workdir on a file system that all processes share"
            is_seen = functools.partial(is_whole, path, size)
            processes.until_seen(is_seen, f"{path}, written by process 0,", remedy)

    def _run(self, stage: Stage) -> None:
        """Run a stage in the first process, and leave its marker."""
        marker = self.path / "stages" / f"{stage.name}.json"
        marker.unlink(missing_ok=True)
        inputs = self._digests(_files(stage.all_inputs))
        from procsup_jax import compilation  # imports jax, which listing a folder does without

        facts = {fact.name: as_json(fact.value(self.settings)) for fact in stage.facts}
        notes, start, before = Notes(), time.monotonic(), compilation.total()
        view: Any = View(Known(self.settings, stage.takes), notes)
        for setting in stage.shaped_by:
            operator.attrgetter(setting.path)(view)
        scratch, began = self.path / FITS, time.time()
        for done in self._call(stage, view).after:
            done()
        if remote.is_remote(scratch):
            remote.put_newer(remote.scratch(scratch), scratch, began)
        compiled = compilation.total().since(before)
        if compiled.seconds >= _SHOWN_COMPILE_S:
            print(f"{stage.name}: {compiled}", file=sys.stderr, flush=True)
        if stage.always:
            return
        record = {
            "stage": stage.name,
            "settings": {**notes.values, **facts},
            "whole": sorted(notes.whole),
            "inputs": inputs,
            "outputs": self._digests(_files(stage.outputs)),
            "wall_clock_s": round(time.monotonic() - start, 3),
            "compile_s": round(compiled.seconds, 3),
            "programs_compiled": compiled.programs,
            "programs_cached": compiled.cached,
        }
        files.write_text(marker, json.dumps(record, indent=1, sort_keys=True) + "\n")

    def _call(self, stage: Stage, view: Any) -> Context[Any]:
        """Call a stage's function and write what it returns."""
        context = Context(view, stage, self.path, remote.scratch(self.path / FITS), self.read, self.wall_clock)
        self._write(stage, stage.function(context, *stage.args))
        return context

    def _write(self, stage: Stage, values: Mapping[Artefact[Any], Any]) -> None:
        if set(values) != set(stage.outputs):
            wrong = sorted(each.path for each in set(values) ^ set(stage.outputs))
            raise ValueError(f"stage {stage.name} does not give what it declares as outputs: {', '.join(wrong)}")
        for artefact in stage.outputs:
            for name in artefact.files:
                self._digested.pop(name, None)
            write = artefact.write_together if stage.together else artefact.write
            write(self.path / artefact.path, values[artefact])

    def _markers(self) -> list[pathlib.Path]:
        folder = self.path / "stages"
        return sorted(path for path in folder.iterdir() if path.suffix == ".json") if folder.is_dir() else []

    def _marker(self, stage: Stage) -> Marker | None:
        name = f"{stage.name}.json"
        return self._read_marker(name) if (self.path / "stages" / name).is_file() else None

    def _read_marker(self, name: str) -> Marker:
        return self._read_once(self._markers_read, f"stages/{name}", read_marker)

    def _digests(self, names: Sequence[str]) -> dict[str, str]:
        return {name: self._digest(name) for name in names}

    def _digest(self, name: str) -> str:
        return self._read_once(self._digested, name, files.sha256_file)

    def _read_once(self, known: dict[str, tuple[object, T]], name: str, read: Callable[[pathlib.Path], T]) -> T:
        """Return what `read` makes of a file, read again only where it is not the one that was read before."""
        path = self.path / name
        with files.explain_os_errors(path, "read"):
            stamp = remote.stamp(path)
        if stamp is None or name not in known or known[name][0] != stamp:
            known[name] = stamp, read(path)
        return known[name][1]

    def _unchanged(self, recorded: Mapping[str, str], names: Sequence[str]) -> bool:
        present = recorded.keys() == set(names) and all((self.path / name).is_file() for name in names)
        return present and recorded == self._digests(names)


def _files(artefacts: Iterable[Artefact[Any]]) -> list[str]:
    return [name for each in artefacts for name in each.files]
