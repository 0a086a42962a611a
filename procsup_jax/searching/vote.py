"""Choosing one of the K samples of a problem by voting and reranking (paper, "Decoding").

A sample without a final answer never wins. Nothing depends on the order in which samples are given.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Sequence
from fractions import Fraction

from procsup_jax.grouping import position
from procsup_jax.searching import ties
from procsup_jax.text import answers
from procsup_jax.types import Sample


@dataclasses.dataclass(frozen=True)
class Choice:
    """Hold what a decoding chose for a problem.

    `sample` and `answer` are None when no sample has a final answer, which counts as a wrong answer. `score` is what
    selective prediction abstains by: the reward model's score of `sample`, or, where no reward model took part, the
    share of all the problem's samples that give `answer`; 0.0 when there is no answer, None where it is not known.
    """

    sample: Sample | None
    answer: str | None
    score: float | None


NO_CHOICE = Choice(None, None, 0.0)


def group_by_answer(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    """Return the samples that have a final answer by that answer, equal answers together.

    Keys are normalised; of several spellings of one number the shortest stands for all. Keys and samples are sorted.
    """
    by_key: dict[Fraction | str, list[Sample]] = {}
    for sample in filter(_has_answer, samples):
        by_key.setdefault(answers.answer_key(sample.answer or ""), []).append(sample)
    named = {min(map(_spelling, group)): sorted(group, key=position) for group in by_key.values()}
    return {name: named[length, name] for length, name in sorted(named)}


def majority(samples: Sequence[Sample], seed: int) -> Choice:
    """Choose a random sample among those that give the most common final answer.

    Ties between answers are broken at random too. Both draws depend on `seed` and the problem's uid alone.
    """
    groups = group_by_answer(samples)
    if not groups:
        return NO_CHOICE
    most = max(map(len, groups.values()))
    rng = random.Random(f"{seed}:{_uid(samples)}")
    answer = rng.choice([answer for answer, group in groups.items() if len(group) == most])
    return Choice(rng.choice(groups[answer]), answer, most / len(samples))


def rm_weighted(samples: Sequence[Sample], scores: Sequence[float]) -> Choice:
    """Choose the answer of the largest summed score, then the highest-scored sample that gives it.

    `scores[i]` is the reward model's probability that `samples[i]` is right. Ties go to the answer with more samples,
    then to the shorter one; between samples to the lower index (`ties`: sums of the same scores in any order tie).
    """
    score_of, groups = _scores_by_sample(samples, scores), group_by_answer(samples)
    if not groups:
        return NO_CHOICE
    heaviest = ties.highest(groups, lambda answer: math.fsum(score_of[id(sample)] for sample in groups[answer]))
    answer = max(heaviest, key=lambda answer: len(groups[answer]))
    sample = ties.highest(groups[answer], lambda sample: score_of[id(sample)])[0]
    return Choice(sample, answer, score_of[id(sample)])


def best(samples: Sequence[Sample], scores: Sequence[float]) -> Choice:
    """Choose the highest-scored sample that has a final answer; ties go to the lower index."""
    score_of = _scores_by_sample(samples, scores)
    answered = sorted(filter(_has_answer, samples), key=position)
    if not answered:
        return NO_CHOICE
    sample = ties.highest(answered, lambda sample: score_of[id(sample)])[0]
    return Choice(sample, answers.normalise_answer(sample.answer or ""), score_of[id(sample)])


def _scores_by_sample(samples: Sequence[Sample], scores: Sequence[float]) -> dict[int, float]:
    if len(samples) != len(scores):
        raise ValueError(f"{len(scores)} scores for {len(samples)} samples, expected one each")
    return {id(sample): float(score) for sample, score in zip(samples, scores, strict=True)}


def _spelling(sample: Sample) -> tuple[int, str]:
    text = answers.normalise_answer(sample.answer or "")
    return len(text), text


def _has_answer(sample: Sample) -> bool:
    return answers.is_answer(sample.answer)


def _uid(samples: Sequence[Sample]) -> str:
    uids = {sample.problem_uid for sample in samples}
    if len(uids) != 1:
        raise ValueError(f"a vote takes the samples of one problem, found those of {sorted(uids)}")
    return uids.pop()
