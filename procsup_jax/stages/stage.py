"""Stages: functions from settings and input files to output files, run once and remembered.

A finished stage leaves `stages/NAME.json` in the run's folder: the settings it used, the SHA-256 of every file it read
and wrote, how long it took and what it compiled. The same command run again skips it; a changed setting is an error
that names the key; an input that is no longer the same makes the stage run again.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from procsup_jax import compilation, files
from procsup_jax.errors import UserError
from procsup_jax.settings import flatten

# Compiling for less than this is not worth a line.
_SHOWN_COMPILE_S = 1.0


@dataclasses.dataclass(frozen=True)
class Stage:
    """Describe one stage.

    `settings` maps dotted setting names (as on the command line, without the dashes) to the values that the output
    depends on; `inputs` and `outputs` are paths relative to the run's folder; `run` reads and writes exactly those.
    """

    name: str
    settings: Mapping[str, Any]
    inputs: Sequence[str]
    outputs: Sequence[str]
    run: Callable[[], None]


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
        marker = self.path / "stages" / f"{stage.name}.json"
        settings = json.loads(json.dumps(dict(stage.settings)))
        if marker.is_file():
            done = _read_marker(marker)
            self._check_settings(stage.name, done["settings"], settings)
            if self._unchanged(done["inputs"], stage.inputs) and self._unchanged(done["outputs"], stage.outputs):
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
            "settings": settings,
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
        return {marker.stem: _read_marker(marker)["wall_clock_s"] for marker in markers}

    def _digests(self, names: Sequence[str]) -> dict[str, str]:
        return {name: files.sha256_file(self.path / name) for name in names}

    def _unchanged(self, recorded: Mapping[str, str], names: Sequence[str]) -> bool:
        present = all((self.path / name).is_file() for name in names)
        return present and recorded == self._digests(names)

    def _check_settings(self, name: str, done: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        for key in sorted(set(done) | set(wanted)):
            if done.get(key) != wanted.get(key):
                raise UserError(
                    f"--{key} is {wanted.get(key)!r}, but stage {name} in {self.path} was finished with "
                    f"{done.get(key)!r}; set it back, or start anew with another --workdir"
                )


def _read_marker(path: pathlib.Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}; delete it to run that stage again") from error


def used(prefix: str, settings: Any) -> dict[str, Any]:
    """Return the dotted settings of a group, for `Stage.settings`."""
    return flatten(settings, f"config.{prefix}")
