"""What a model is to learn from; imports no jax, so that files are read before it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from procsup_jax.data.completions import Completion
from procsup_jax.training.settings import Task
from procsup_jax.types import Problem, Sample, StepLabels


@dataclasses.dataclass(frozen=True)
class Lesson:
    """Hold what to learn from.

    "sft": the problems' reference solutions, or `completions`; "distil": the samples, as they are; "orm": the samples,
    by `labels` or else by whether each one's final answer is right; "prm": the samples, by `labels`.
    """

    task: Task
    problems: Sequence[Problem] = ()
    samples: Sequence[Sample] = ()
    labels: Sequence[StepLabels] = ()
    completions: Sequence[Completion] = ()
