"""Final answers of solutions as they are written: by the strict and by the flexible reading, and those without any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from procsup_jax.evals import intervals
from procsup_jax.evals.join import Joined
from procsup_jax.text import answers
from procsup_jax.types import Problem, Sample

ONE_SAMPLE = "one_sample"
FIGURES = ("strict_error", "flexible_error", "unparsed")


def measure(joined: Joined, marker: str, *, seed: int = 0) -> dict[str, Any]:
    """Return `FIGURES` with intervals for one sample drawn at a temperature, and for each decoding that writes one.

    `strict_error` is the share of solutions without the right answer behind the layout's `marker`, `flexible_error`
    that of those without it in any form that language models write, `unparsed` that of those with no answer in any.
    Those of one sample are means over all of them, resampled by problem.
    """
    found = {}
    if joined.drawn:
        rows = [_shares(problem, joined.drawn[problem.uid], marker) for problem in joined.problems]
        weights_b = np.array([len(joined.drawn[problem.uid]) for problem in joined.problems], dtype=float)
        values = np.array(rows)
        estimates = {
            name: intervals.mean_over_problems(values[:, i], weights_b, seed=seed) for i, name in enumerate(FIGURES)
        }
        found[ONE_SAMPLE] = {**intervals.with_intervals(estimates), "n": len(joined.problems)}
    for decoding, solutions in joined.single.items():
        values = np.array([_shares(problem, [solutions[problem.uid]], marker) for problem in joined.problems])
        estimates = {name: intervals.proportion(values[:, i]) for i, name in enumerate(FIGURES)}
        found[decoding] = {**intervals.with_intervals(estimates), "n": len(joined.problems)}
    return found


def _shares(problem: Problem, samples: Sequence[Sample], marker: str) -> tuple[float, ...]:
    """Return the shares of a problem's samples that are `FIGURES`."""
    strict, flexible = (
        [answers.read_answer(sample.solution, reading, marker) for sample in samples]
        for reading in ("strict", "flexible")
    )
    wrong = (
        [found is None or not answers.same_answer(found.answer, problem.answer) for found in read]
        for read in (strict, flexible)
    )
    return (*(sum(each) / len(samples) for each in wrong), sum(each is None for each in flexible) / len(samples))
