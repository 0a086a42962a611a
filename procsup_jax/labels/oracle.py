"""Label the generated testbed's solutions exactly, from each story's graph."""

from __future__ import annotations

from collections.abc import Sequence

from procsup_jax import grouping
from procsup_jax.data.worlds import graph, oracle
from procsup_jax.errors import UserError
from procsup_jax.text import steps as steps_lib
from procsup_jax.types import Problem, Sample, StepLabels


def label(problems: Sequence[Problem], samples: Sequence[Sample]) -> list[StepLabels]:
    """Label the samples with the position of their first wrong step, in the order of `samples`.

    Problems carry their graph as `extra["world"]`; raise UserError for a sample whose problem is missing or has none.
    """
    by_uid = grouping.by_uid(problems)
    worlds: dict[str, graph.World] = {}
    labels = []
    for sample in samples:
        uid = sample.problem_uid
        if uid not in worlds:
            worlds[uid] = _world(grouping.problem_of(by_uid, sample))
        steps = steps_lib.steps_of(sample)
        first_error = oracle.check(worlds[uid], steps).first_error
        labels.append(
            StepLabels(uid, sample.sample, first_error, len(steps), "oracle", "oracle", decoding=sample.decoding)
        )
    return labels


def _world(problem: Problem) -> graph.World:
    record = problem.extra.get("world")
    if record is None:
        raise UserError(
            f"problem {problem.uid!r} has no 'world', expected a story of the worlds testbed: the oracle can label no "
            "other problems, so choose another label source"
        )
    return graph.from_json(record)
