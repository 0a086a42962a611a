"""Which samples expert iteration distils from: the paper's table "Expert iteration", as functions over records.

| method | SFT-based | few-shot-based |
|---|---|---|
| Final-Answer RL | `one_correct` | `all_correct` |
| ORM-RL | `best_scored` | `best_scored` |
| PRM-RL | `as_searched` | not run |
| over epochs | those of all so far | those of the last |

The paper does not speak of duplicates. Equal solutions of a problem are kept as often as they were chosen: their
multiplicity is the policy's own weight on them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from procsup_jax import grouping
from procsup_jax.errors import UserError
from procsup_jax.searching import vote
from procsup_jax.text import answers
from procsup_jax.types import Problem, Sample, Score


def one_correct(problems: Sequence[Problem], samples: Sequence[Sample], seed: int) -> list[Sample]:
    """Keep one random sample with the right final answer of each problem that has any.

    The draw depends on `seed`, the problem's uid and its right samples, not on the order of anything.
    """
    right = grouping.by_problem(all_correct(problems, samples))
    return [random.Random(f"{seed}:{uid}").choice(group) for uid, group in right.items()]


def all_correct(problems: Sequence[Problem], samples: Sequence[Sample]) -> list[Sample]:
    """Keep every sample with the right final answer, in the order of the problems, then of the samples' indices."""
    by_uid = grouping.by_problem(samples)
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
        if answers.same_answer(sample.answer, problem.answer)
    ]


def best_scored(samples: Sequence[Sample], scores: Sequence[Score]) -> list[Sample]:
    """Keep the highest-scored sample of each problem, right or wrong, leaving out samples without a final answer.

    Ties go to the lower index. Raises `UserError` when a sample has no score.
    """
    score_of = {key: score.score for key, score in grouping.by_key(scores).items()}
    missing = [sample.key for sample in samples if sample.key not in score_of]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(samples)} samples have no score, first sample {missing[0][1]} of problem "
            f"{missing[0][0]!r}; score them with the reward model"
        )
    groups = grouping.by_problem(samples).values()
    kept = [vote.best(group, [score_of[sample.key] for sample in group]) for group in groups]
    return [choice.sample for choice in kept if choice.sample is not None]


def as_searched(samples: Sequence[Sample]) -> list[Sample]:
    """Keep the solutions of a step search that reached a final answer within its limit of steps."""
    return [sample for sample in samples if answers.is_answer(sample.answer)]
