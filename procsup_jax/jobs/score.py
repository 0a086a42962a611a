"""`procsup score`: score the steps of samples with a reward model."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Annotated

from procsup_jax import records
from procsup_jax.errors import UserError
from procsup_jax.flags import Flags, flag
from procsup_jax.jobs import shared
from procsup_jax.joining import ProcessFlags
from procsup_jax.parallel.settings import MeshSettings
from procsup_jax.processes import index
from procsup_jax.ranges import Count
from procsup_jax.searching.aggregate import Aggregate


@dataclasses.dataclass(frozen=True)
class ScoreFlags(Flags):
    """Hold the flags of `procsup score`."""

    problems: Annotated[pathlib.Path, shared.PROBLEMS]
    samples: Annotated[pathlib.Path, shared.SAMPLES]
    rm: Sequence[pathlib.Path] = flag(
        "the folder of a reward model; repeat it, and --output, for another", reads="model"
    )
    output: Sequence[pathlib.Path] = flag("the scores file to write", writes="file")
    aggregate: Aggregate = flag("how a solution's score comes from its steps'", "last")
    batch_size: Count = flag("solutions read at a time: sets speed and memory, never changes a score", 64)
    skip_bad: Annotated[bool, shared.SKIP_BAD] = False


def run(flags: ScoreFlags, mesh: MeshSettings, processes: ProcessFlags = ProcessFlags()) -> None:  # noqa: B008
    """Write scores.jsonl: the probability of `correct` after each step of every sample, and their aggregate.

    Killed anywhere, the same command goes on.
    """
    if len(flags.rm) != len(flags.output):
        raise UserError(f"{len(flags.rm)} --rm and {len(flags.output)} --output given: expected one output for each")
    problems = records.read_problems(flags.problems, skip_bad=flags.skip_bad)
    uids = {problem.uid for problem in problems}
    samples = records.read_samples(flags.samples, problem_uids=uids, skip_bad=flags.skip_bad)
    processes.join()
    from procsup_jax import interface, shards
    from procsup_jax.io.models import load_model, read_header
    from procsup_jax.journal import Journal
    from procsup_jax.models import roles
    from procsup_jax.parallel.mesh import local_mesh_or_none

    mine = shards.of_mine(samples, problems)
    for folder in flags.rm:  # before any of them reads a sample
        roles.check_judge(f"--rm={folder}", read_header(folder).head)
    for folder, output in zip(flags.rm, flags.output, strict=True):
        model = load_model(folder, mesh=local_mesh_or_none(mesh))
        size, aggregate = flags.batch_size, flags.aggregate
        with Journal.beside(output, index()) as journal:
            scores = interface.score(
                model, problems, mine, aggregate=aggregate, batch_size=size, flag="--batch_size", journal=journal
            )
            shards.write_scores(output, scores, samples)
            journal.remove()
        print(f"{len(samples)} solutions scored by {folder}; written to {output}")
