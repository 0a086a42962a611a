"""What several processes write of one file: each a shard beside it, which the first joins in the items' order."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import re
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

from procsup_jax import processes, records, remote
from procsup_jax.types import Problem, Sample, Score, StepLabels

Record = TypeVar("Record")
Item = TypeVar("Item", Problem, Sample)

_NAME = re.compile(r".+\.shard-\d+-of-\d+")


@dataclasses.dataclass(frozen=True)
class Part(Generic[Record, Item]):
    """Hold this process's records of a file, and all the items in whose order those of all processes are joined."""

    records: Sequence[Record]
    items: Sequence[Item]


def of_mine(samples: Sequence[Sample], problems: Sequence[Problem]) -> list[Sample]:
    """Return the samples of this process's share of the problems, and those of no problem, which are a mistake."""
    mine = {problem.uid for problem in processes.share(problems)}
    others = {problem.uid for problem in problems} - mine
    return [sample for sample in samples if sample.problem_uid not in others]


def sweep(folder: pathlib.Path) -> None:
    """Remove the shards in a folder and those within it that processes which were killed have left."""
    if remote.is_remote(folder):
        return  # their names say which they are, and the same number of processes puts them anew
    for each, _, names in os.walk(folder):
        for name in filter(_NAME.fullmatch, names):
            with contextlib.suppress(OSError):
                (pathlib.Path(each) / name).unlink()


def write_samples(path: pathlib.Path, mine: Sequence[Sample], problems: Sequence[Problem]) -> None:
    """Write samples of some of the problems, in the order of all; errors as for `_write`."""
    uids = [problem.uid for problem in problems]
    _write(path, mine, (records.write_samples, records.read_samples), lambda sample: sample.problem_uid, uids)


def write_scores(path: pathlib.Path, mine: Sequence[Score], samples: Sequence[Sample]) -> None:
    """Write scores of some of the samples, in the order of all; errors as for `_write`."""
    keys = [sample.key for sample in samples]
    _write(path, mine, (records.write_scores, records.read_scores), lambda score: score.key, keys)


def write_labels(path: pathlib.Path, mine: Sequence[StepLabels], samples: Sequence[Sample]) -> None:
    """Write labels of some of the samples, in the order of all; errors as for `_write`."""
    keys = [sample.key for sample in samples]
    _write(path, mine, (records.write_labels, records.read_labels), lambda label: label.key, keys)


def _write(
    path: pathlib.Path,
    mine: Sequence[Record],
    format_: tuple[Callable[[pathlib.Path, Sequence[Record]], None], Callable[[pathlib.Path], Sequence[Record]]],
    order: Callable[[Record], Hashable],
    places: Sequence[Hashable],
) -> None:
    """Write this process's records of a file; when the call returns, the whole file is there, in every process.

    `format_` writes and reads such a file; records stand in the order of `places`, where `order` tells a record's
    place, and those of one place in their own. One process alone writes the file itself. Raises UserError where a
    shard of another process is not to be seen after a while, and `processes.Lost` where one does not come.
    """
    save, load = format_
    if processes.count() == 1:
        save(path, mine)
        return
    save(_shard(path, processes.index()), mine)
    processes.wait(f"shards of {path.name}")
    if processes.is_first():
        shards = [_shard(path, i) for i in range(processes.count())]
        for i, shard in enumerate(shards):
            remedy = "give an output on a file system that all processes share"
            processes.until_seen(shard.exists, f"{shard}, written by process {i},", remedy)
        number = {place: i for i, place in enumerate(places)}
        found = [record for shard in shards for record in load(shard)]
        save(path, sorted(found, key=lambda record: number[order(record)]))
        for shard in shards:
            shard.unlink()
    processes.wait(f"{path.name} joined")


def _shard(path: pathlib.Path, index: int) -> pathlib.Path:
    return path.with_name(f"{path.name}.shard-{index}-of-{processes.count()}")
