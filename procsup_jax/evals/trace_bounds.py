"""What can be said of traces where there is no oracle: what the calculator and the reference's values find wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from procsup_jax.evals import intervals, outcomes
from procsup_jax.evals.evaluate import one_sample
from procsup_jax.evals.intervals import Estimate
from procsup_jax.evals.join import join
from procsup_jax.evals.readings import ONE_SAMPLE
from procsup_jax.labels.calculator import Calculator
from procsup_jax.labels.intermediate import Intermediate
from procsup_jax.labels.sources import Source
from procsup_jax.text.steps import SEPARATOR
from procsup_jax.types import Problem, Sample, Score


def measure(
    problems: Sequence[Problem],
    samples: Sequence[Sample],
    scores: Mapping[str, Sequence[Score]],
    separator: str = SEPARATOR,
    *,
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """Return for one sample and each decoding, by source, the share of right answers whose trace is called wrong.

    `calculator` sees wrong arithmetic alone: it is a lower bound of trace error. `intermediate` calls a step wrong
    whose result does not stand in the reference solution: it misses wrong steps with such a result, and a right answer
    by another way counts as wrong, so it is a bound only where the reference's way is the only one; it is there only
    where every problem has a reference solution. `scores` as in `evaluate`.
    """
    sources: list[Source] = [Calculator(separator)]
    if all(problem.solution for problem in problems):
        sources.append(Intermediate(separator))
    found: dict[str, dict[str, Any]] = {}
    for source in sources:
        joined = join(problems, samples, scores, source.label(problems, samples), separator)
        if joined.drawn:
            measured = one_sample(joined, seed)
            ends = measured["intervals"]["trace_error"]
            mean = Estimate(measured["trace_error"], None if ends is None else tuple(ends), measured["trace_n"])
            found.setdefault(ONE_SAMPLE, {})[source.name] = intervals.shown(intervals.spread(mean))
        for decoding, outcome in outcomes.measure_all(joined, seed).items():
            found.setdefault(decoding, {})[source.name] = intervals.shown(intervals.proportion(outcome.trace_b))
    return found
