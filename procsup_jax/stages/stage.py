"""Stages: functions from settings and input files to output files, run once and remembered.

A finished stage leaves `stages/NAME.json` in the run's folder: the settings it used, the SHA-256 of every file it read
and wrote, how long it took and what it compiled. The same command run again skips it; a changed setting is an error
that names the key, before any stage runs; an input that is no longer the same makes the stage run again.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from procsup_jax import compilation, files
from procsup_jax.settings import flatten
from procsup_jax.stages.markers import Marker, check_settings, read_marker
from procsup_jax.training.settings import stated

# Compiling for less than this is not worth a line.
_SHOWN_COMPILE_S = 1.0


@dataclasses.dataclass(frozen=True)
class Stage:
    """Describe one stage.

    `settings` maps dotted setting names (as on the command line, without the dashes) to the values that the output
    depends on; `inputs` and `outputs` are paths relative to the run's folder; `run` reads and writes exactly those.
    `set_by` names the flag (without the dashes) that sets a setting which is called otherwise here. Settings in `newer`
    are missing from the markers of earlier versions, and are compared where they are there.
    """

    name: str
    settings: Mapping[str, Any]
    inputs: Sequence[str]
    outputs: Sequence[str]
    run: Callable[[], None]
    set_by: Mapping[str, str] = dataclasses.field(default_factory=dict)
    newer: Collection[str] = ()

    @property
    def recorded(self) -> dict[str, Any]:
        """Return the settings as a marker holds them."""
        return json.loads(json.dumps(dict(self.settings)))


class RunFolder:
    """Hold the folder of one experiment and run its stages."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        files.make_folder(path)

    def __truediv__(self, name: str) -> pathlib.Path:
        return self.path / name

    def run(self, stage: Stage) -> None:
        """Run a stage unless it is finished.

        Raises:
          UserError: the stage is finished but was made with other settings.

        """
        marker, done = self._marker(stage), self.check(stage)
        if done is not None:
            if self._unchanged(done.inputs, stage.inputs) and self._unchanged(done.outputs, stage.outputs):
                return
            marker.unlink()
        for name in stage.outputs:
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        inputs = self._digests(stage.inputs)
        start, before = time.monotonic(), compilation.total()
        stage.run()
        compiled = compilation.total().since(before)
        if compiled.seconds >= _SHOWN_COMPILE_S:
            print(f"{stage.name}: {compiled}", file=sys.stderr, flush=True)
        record = {
            "stage": stage.name,
            "settings": stage.recorded,
            "inputs": inputs,
            "outputs": self._digests(stage.outputs),
            "wall_clock_s": round(time.monotonic() - start, 3),
            "compile_s": round(compiled.seconds, 3),
            "programs_compiled": compiled.programs,
            "programs_cached": compiled.cached,
        }
        files.write_text(marker, json.dumps(record, indent=1, sort_keys=True) + "\n")

    def wall_clock(self) -> dict[str, float]:
        """Return the seconds that each finished stage took, in the order in which they finished."""
        markers = sorted((self.path / "stages").glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        return {marker.stem: read_marker(marker).wall_clock_s for marker in markers}

    def check(self, stage: Stage) -> Marker | None:
        """Return what a finished stage has left, None where it is not; raise UserError for other settings."""
        path = self._marker(stage)
        if not path.is_file():
            return None
        done, wanted = read_marker(path), stage.recorded
        wanted = {key: value for key, value in wanted.items() if key in done.settings or key not in stage.newer}
        check_settings(self.path, stage.name, done.settings, wanted, stage.set_by)
        return done

    def _marker(self, stage: Stage) -> pathlib.Path:
        return self.path / "stages" / f"{stage.name}.json"

    def _digests(self, names: Sequence[str]) -> dict[str, str]:
        return {name: files.sha256_file(self.path / name) for name in names}

    def _unchanged(self, recorded: Mapping[str, str], names: Sequence[str]) -> bool:
        present = all((self.path / name).is_file() for name in names)
        return present and recorded == self._digests(names)


class CheckedFolder(RunFolder):
    """Run no stage of a run's folder, but check that the settings of all the finished ones are still the same."""

    def __init__(self, folder: RunFolder) -> None:
        self.path = folder.path

    def run(self, stage: Stage) -> None:
        """Check one stage; raise UserError as `RunFolder.run` would."""
        self.check(stage)

    def check_markers(self) -> None:
        """Raise UserError for a file among the markers that is none."""
        for path in sorted((self.path / "stages").glob("*.json")):
            read_marker(path)


def used(prefix: str, settings: Any) -> dict[str, Any]:
    """Return the dotted settings of a group, for `Stage.settings`."""
    return flatten(dataclasses.asdict(settings, dict_factory=stated), f"config.{prefix}")
