"""Which samples expert iteration distils from: the paper's table "Expert iteration", as functions over records.

| method | SFT-based | few-shot-based |
|---|---|---|
| Final-Answer RL | `one_correct` | `all_correct` |
| ORM-RL | `best_scored` | `best_scored` |
| PRM-RL | `as_searched` | not run |
| over epochs | `accumulate(epochs, "all")` | `accumulate(epochs, "last")` |

The paper does not speak of duplicates. Equal solutions of a problem are kept as often as they were chosen: their
multiplicity is the policy's own weight on them.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from typing import Literal, get_args

from procsup_jax.errors import UserError
from procsup_jax.search import vote
from procsup_jax.types import Problem, Sample, Score

Keep = Literal["all", "last"]


def one_correct(problems: Sequence[Problem], samples: Sequence[Sample], seed: int) -> list[Sample]:
    """Keep one random sample with the right final answer of each problem that has any.

    The draw depends on `seed`, the problem's uid and its right samples, not on the order of anything.
    """
    right = _by_problem(all_correct(problems, samples))
    return [random.Random(f"{seed}:{uid}").choice(group) for uid, group in right.items()]


def all_correct(problems: Sequence[Problem], samples: Sequence[Sample]) -> list[Sample]:
    """Keep every sample with the right final answer, in the order of the problems, then of the samples' indices."""
    by_uid = _by_problem(samples)
    unknown = by_uid.keys() - {problem.uid for problem in problems}
    if unknown:
        raise UserError(
            f"samples of {len(unknown)} problems that are not given, first {min(unknown)!r}; "
            "give the problems that the samples were drawn for"
        )
    return [
        sample
        for problem in problems
        for sample in by_uid.get(problem.uid, ())
        if vote.same_answer(sample.answer, problem.answer)
    ]


def best_scored(samples: Sequence[Sample], scores: Sequence[Score]) -> list[Sample]:
    """Keep the highest-scored sample of each problem, right or wrong, leaving out samples without a final answer.

    Ties go to the lower index. Raises `UserError` when a sample has no score.
    """
    score_of = {score.key: score.score for score in scores}
    missing = [sample.key for sample in samples if sample.key not in score_of]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(samples)} samples have no score, first sample {missing[0][1]} of problem "
            f"{missing[0][0]!r}; score them with the reward model"
        )
    kept = [vote.best(group, [score_of[sample.key] for sample in group]) for group in _by_problem(samples).values()]
    return [choice.sample for choice in kept if choice.sample is not None]


def as_searched(samples: Sequence[Sample]) -> list[Sample]:
    """Keep the solutions of a step search that reached a final answer within its limit of steps."""
    return [sample for sample in samples if vote.has_answer(sample)]


def accumulate(epochs: Sequence[Sequence[Sample]], keep: Keep = "all") -> list[Sample]:
    """Return the expert samples to distil from: those of all epochs so far, or of the last alone.

    Indices start again in every epoch, so samples are counted anew within each problem, and the extra keys `epoch`
    and `epoch_sample` say where each came from.
    """
    if keep not in get_args(Keep):
        raise UserError(f"accumulate keeps {keep!r}, expected one of {', '.join(get_args(Keep))}")
    counts: dict[str, int] = {}
    kept = []
    for epoch, samples in enumerate(epochs):
        for sample in samples if keep == "all" or epoch == len(epochs) - 1 else ():
            index = counts.get(sample.problem_uid, 0)
            counts[sample.problem_uid] = index + 1
            origin = {"epoch": epoch, "epoch_sample": sample.sample}
            kept.append(dataclasses.replace(sample, sample=index, extra={**sample.extra, **origin}))
    return kept


def _by_problem(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    by_uid: dict[str, list[Sample]] = {}
    for sample in samples:
        by_uid.setdefault(sample.problem_uid, []).append(sample)
    return {uid: sorted(group, key=lambda sample: (sample.sample, sample.solution)) for uid, group in by_uid.items()}
