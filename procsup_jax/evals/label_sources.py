"""What sources of step labels say of the same samples: how much each calls right, and how often two agree."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from procsup_jax import grouping
from procsup_jax.evals import intervals
from procsup_jax.text import answers
from procsup_jax.types import Problem, Sample, StepLabels

# A problem's values, such as whether each step is right; those of several are weighted by how many there are.
_Values = Callable[[Sequence[Sample]], Sequence[float]]


def measure(
    problems: Sequence[Problem], samples: Sequence[Sample], labels: Mapping[str, Sequence[StepLabels]], *, seed: int = 0
) -> dict[str, Any]:
    """Return under `sources` what each source says, and under `agreement` the share of steps on which two agree.

    Of a source: `steps`, the mean probability that a step is right; `traces`, the share of samples without a wrong
    step; `right_answers`, the same among samples with a right final answer. Each has its interval (a bootstrap over
    problems) and `n`, the number of problems that count. What is unknown is left out.
    """
    by_source = {source: grouping.by_key(found) for source, found in labels.items()}
    answer = {problem.uid: problem.answer for problem in problems}
    is_right = {sample.key: answers.same_answer(sample.answer, answer[sample.problem_uid]) for sample in samples}
    groups = list(grouping.by_problem(samples).values())

    def mean(values_of: _Values) -> dict[str, Any]:
        rows = [values_of(group) for group in groups]
        means_b = np.array([sum(row) / max(1, len(row)) for row in rows], dtype=float)
        weights_b = np.array([len(row) for row in rows], dtype=float)
        return intervals.shown(intervals.mean_over_problems(means_b, weights_b, seed=seed))

    sources = {}
    for source, found in by_source.items():
        steps, traces = _of_steps(found), _of_traces(found)
        sources[source] = {
            "steps": mean(steps),
            "traces": mean(traces),
            "right_answers": mean(_among(traces, is_right)),
        }
    pairs = {f"{a} {b}": mean(_agree(by_source[a], by_source[b])) for a, b in itertools.combinations(by_source, 2)}
    return {"sources": sources, "agreement": pairs, "samples": len(samples), "problems": len(groups)}


def _among(values: _Values, chosen: Mapping[Any, bool]) -> _Values:
    return lambda group: values([sample for sample in group if chosen[sample.key]])


def _of_steps(labels: Mapping[Any, StepLabels]) -> _Values:
    return lambda group: [float(t) for sample in group for t in labels[sample.key].targets if t is not None]


def _of_traces(labels: Mapping[Any, StepLabels]) -> _Values:
    verdicts = {key: label.trace_correct for key, label in labels.items()}
    return lambda group: [float(v) for sample in group if (v := verdicts[sample.key]) is not None]


def _agree(a: Mapping[Any, StepLabels], b: Mapping[Any, StepLabels]) -> _Values:
    return lambda group: [
        float(x == y)
        for sample in group
        for x, y in zip(a[sample.key].correct, b[sample.key].correct, strict=True)
        if x is not None and y is not None
    ]
