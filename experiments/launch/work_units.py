"""What each work unit of a sweep runs: arguments of `procsup run` and a workdir. Plain Python, without xmanager."""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
import re
from collections.abc import Sequence

from tpu_slices import LaunchError

ROOT = pathlib.Path(__file__).resolve().parents[2]
_OPEN, _CLOSE = "([{", ")]}"


@dataclasses.dataclass(frozen=True)
class WorkUnit:
    """One run: its name within the sweep (empty without one) and the arguments of `procsup`."""

    name: str
    arguments: tuple[str, ...]


def work_units(config: str, sweeps: Sequence[str], workdir: str, extra: Sequence[str] = ()) -> list[WorkUnit]:
    """Return a run for each point of the product of the sweeps, each with a workdir of its own.

    The workdir follows from the swept values alone, so that the same command launched again resumes every run.
    `extra` are further arguments of `procsup run`, the same for all.

    Raises:
      LaunchError: a sweep that is not KEY=VALUE,VALUE..., a key or a value given twice.

    """
    swept = [parse_sweep(sweep) for sweep in sweeps]
    keys = [key for key, _ in swept]
    for key in keys:
        if keys.count(key) > 1:
            raise LaunchError(f"{key} is swept twice; give its values in one --sweep={key}=VALUE,VALUE")
        if any(argument.startswith(f"--{key}=") for argument in extra):
            raise LaunchError(f"--{key} is given and swept; drop one of the two")
    units = []
    for values in itertools.product(*(values for _, values in swept)):
        name = "_".join(f"{_short(key, keys)}={_safe(value)}" for key, value in zip(keys, values, strict=True))
        changes = [f"--{key}={value}" for key, value in zip(keys, values, strict=True)]
        folder = f"{workdir.rstrip('/')}/{name}" if name else workdir
        units.append(WorkUnit(name, ("run", f"--config={config}", f"--workdir={folder}", *extra, *changes)))
    names = [unit.name for unit in units]
    for name in names:
        if names.count(name) > 1:
            raise LaunchError(f"two points of the sweep would share the folder {name!r}; sweep values that differ more")
    return units


def parse_sweep(sweep: str) -> tuple[str, list[str]]:
    """Return the key and the values of `config.seed=0,1,2`; commas within brackets belong to a value."""
    key, equals, text = sweep.removeprefix("--").partition("=")
    values = _split(text)
    if not equals or not re.fullmatch(r"config(\.\w+)+", key) or not all(values):
        raise LaunchError(f"--sweep={sweep} is not KEY=VALUE,VALUE..., such as --sweep=config.seed=0,1,2")
    for value in values:
        if values.count(value) > 1:
            raise LaunchError(f"--sweep={sweep} has {value} twice")
    return key, values


def _split(text: str) -> list[str]:
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in _OPEN) - (letter in _CLOSE)
        if letter == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _short(key: str, keys: Sequence[str]) -> str:
    """Return the last part of a key, or all of it where two keys end alike."""
    last = key.rpartition(".")[2]
    return last if [other.rpartition(".")[2] for other in keys].count(last) == 1 else key.removeprefix("config.")


def _safe(value: str) -> str:
    return re.sub(r"[^\w.+-]+", "-", value).strip("-") or "-"


def config_in_image(config: str) -> str:
    """Return FILE[:arg] as it is named in the image, relative to the repository; raise LaunchError."""
    file, colon, arg = config.partition(":")
    path = pathlib.Path(file).resolve()
    if not path.is_relative_to(ROOT):
        raise LaunchError(f"--config={config} is outside {ROOT}, so not in the image; put it into configs/")
    return f"{path.relative_to(ROOT)}{colon}{arg}"


def check_config(config: str) -> None:
    """Raise LaunchError unless the file of FILE[:arg] exists."""
    if not config or not pathlib.Path(config.partition(":")[0]).is_file():
        raise LaunchError(f"no configuration file {config!r}; pass --config=FILE[:arg], such as configs/demo.py")


def bucket_of(workdir: str) -> str:
    """Return the bucket of gs://BUCKET/FOLDER; raise LaunchError for anything else."""
    match = re.fullmatch(r"gs://([a-z0-9][a-z0-9._-]*)/\S+", workdir)
    if not match:
        raise LaunchError(f"--workdir={workdir or '(none)'}: in the cloud it has to be gs://BUCKET/FOLDER, which lasts")
    return match[1]


def mounted(workdir: str) -> str:
    """Return where gs://BUCKET/FOLDER is found on a machine that mounts buckets under /gcs, as Vertex does."""
    return "/gcs/" + workdir.removeprefix("gs://")
