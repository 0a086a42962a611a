"""Every metric of one model on one set of problems, from its samples, their scores and their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from procsup_jax.evals import intervals, outcomes, reward_models
from procsup_jax.evals.join import Joined, join
from procsup_jax.evals.outcomes import Outcomes
from procsup_jax.evals.selective import ABSTAINED, selective
from procsup_jax.searching import decodings
from procsup_jax.types import Problem, Sample, Score, StepLabels

BASELINE = decodings.MAJORITY


def evaluate(
    problems: Sequence[Problem],
    samples: Sequence[Sample],
    scores: Mapping[str, Sequence[Score]] | None = None,
    labels: Sequence[StepLabels] = (),
    *,
    seed: int = 0,
    separator: str | None = None,
) -> dict[str, Any]:
    """Return the metrics of docs/metrics.md as plain values ready for JSON (docs/formats.md, "evaluate").

    `samples` holds samples drawn at a temperature, greedy and searched solutions (`searching.decodings`), each kind for
    all problems or for none; `scores` those of each judge, a reward model by the name that tables and decodings
    ("NAME_weighted") call it; `labels` the process labels of all raters. Errors are shares, None where nothing can
    be said. `seed` settles majority's draws and the bootstrap; `separator` as in `evals.join`. Raises `UserError` where
    records do not fit together.
    """
    joined = join(problems, samples, scores or {}, labels, separator)
    measured = outcomes.measure_all(joined, seed)
    per_problem = sorted(map(len, joined.drawn.values()))
    return {
        "decoding": {decoding: _decoding(outcome) for decoding, outcome in measured.items()},
        "one_sample": one_sample(joined, seed) if joined.drawn else None,
        f"minus_{BASELINE}": _differences(measured, seed),
        **reward_models.report(joined, seed=seed),
        "n": len(problems),
        "samples_per_problem": [per_problem[0], per_problem[-1]] if per_problem else None,
        "raters": sorted({label.rater for group in joined.labels.values() for label in group}),
        "seed": seed,
    }


def _decoding(outcome: Outcomes) -> dict[str, Any]:
    estimates = {
        "final_answer_error": intervals.proportion(outcome.error_b),
        "trace_error": intervals.proportion(outcome.trace_b),
        "trace_error_min": intervals.proportion(outcome.trace_min_b),
        "trace_error_max": intervals.proportion(outcome.trace_max_b),
    }
    found = intervals.with_intervals(estimates)
    for name, error_b in (("selective", outcome.error_b), ("selective_trace", outcome.trace_b)):
        if outcome.score_b is None:
            found[name] = None
            continue
        rest = selective(error_b, outcome.score_b)
        found[name] = [[share, estimate.value] for share, estimate in zip(ABSTAINED, rest, strict=True)]
        found["intervals"][name] = [estimate.interval and list(estimate.interval) for estimate in rest]
    return {**found, **_counts(estimates, outcome.num_undecided)}


def _counts(estimates: Mapping[str, intervals.Estimate], num_undecided: int) -> dict[str, int]:
    """Return how many problems count for each error, and how many traces were left out as undecided where any was."""
    counts = {"n": estimates["final_answer_error"].n, "trace_n": estimates["trace_error"].n}
    return counts | ({"trace_undecided": num_undecided} if num_undecided else {})


def one_sample(joined: Joined, seed: int) -> dict[str, Any]:
    """Return the errors of one sample drawn at a temperature: means over all of them, resampled by problem."""
    shares: dict[str, list[tuple[float, int]]] = {"final_answer_error": [], "trace_error": []}  # mean, weight a problem
    num_undecided = 0
    for problem in joined.problems:
        samples = joined.drawn[problem.uid]
        right = [sample.key for sample in samples if sample.key in joined.right]
        verdicts = [joined.trace[key] for key in right if key in joined.trace]
        wrong = [verdict.mean for verdict in verdicts if verdict is not None]
        num_undecided += len(verdicts) - len(wrong)
        shares["final_answer_error"].append((1 - len(right) / len(samples), len(samples)))
        shares["trace_error"].append((sum(wrong) / max(1, len(wrong)), len(wrong)))
    estimates = {
        name: intervals.mean_over_problems(*np.array(rows, dtype=float).T, seed=seed) for name, rows in shares.items()
    }
    found = intervals.with_intervals(estimates)
    return {**found, **_counts(estimates, num_undecided)}


def _differences(measured: Mapping[str, Outcomes], seed: int) -> dict[str, Any]:
    """Return each decoding's errors minus majority's."""
    baseline = measured.get(BASELINE)
    return {
        decoding: difference(outcome, baseline, seed=seed)
        for decoding, outcome in measured.items()
        if baseline is not None and decoding != BASELINE
    }


def difference(a: Outcomes, b: Outcomes, *, seed: int = 0) -> dict[str, Any]:
    """Return a's errors minus b's with paired intervals; both are of the same problems in the same order."""
    return intervals.with_intervals(
        {
            "final_answer_error": intervals.paired_difference(a.error_b, b.error_b, seed=seed),
            "trace_error": intervals.paired_difference(a.trace_b, b.trace_b, seed=seed),
        }
    )
