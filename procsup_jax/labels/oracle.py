"""Label the generated testbed's solutions exactly, from each story's graph."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from procsup_jax import grouping
from procsup_jax.data.worlds import graph, oracle
from procsup_jax.errors import UserError
from procsup_jax.text import steps
from procsup_jax.types import Problem, Sample, StepLabels


@dataclasses.dataclass(frozen=True)
class Oracle:
    """Label by the testbed's oracle; `separator` stands between steps that are not given."""

    separator: str = steps.SEPARATOR
    name: ClassVar[str] = "oracle"

    def label(self, problems: Sequence[Problem], samples: Sequence[Sample]) -> list[StepLabels]:
        """Label the samples with the position of their first wrong step, in the order of `samples`.

        Problems carry their graph as `extra["world"]`; raise UserError for a sample whose problem is missing or has
        none.
        """
        by_uid = grouping.by_uid(problems)
        worlds: dict[str, graph.World] = {}
        labels = []
        for sample in samples:
            problem = grouping.problem_of(by_uid, sample)
            if problem.uid not in worlds:
                worlds[problem.uid] = _world(problem)
            written = steps.steps_of(sample, self.separator)
            first_error = oracle.check(worlds[problem.uid], written).first_error
            labels.append(
                StepLabels(*sample.key[:2], first_error, len(written), self.name, self.name, decoding=sample.decoding)
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
