"""Scores that say nothing: a reward model far outside what it was trained on gives every solution the same one."""

from __future__ import annotations

from collections.abc import Sequence

from procsup_jax import grouping
from procsup_jax.data.seen import share_unseen
from procsup_jax.models.model import Model
from procsup_jax.types import Problem, Sample, Score

# Two may well agree to six decimals.
_FEWEST = 3


def doubt(model: Model, problems: Sequence[Problem], samples: Sequence[Sample], scores: Sequence[Score]) -> str | None:
    """Return a sentence on the scores of different solutions that are all the same, None where they tell some apart."""
    read = [(sample, score) for sample, score in zip(samples, scores, strict=True) if score.step_probs]
    different = {(sample.problem_uid, sample.solution) for sample, _ in read}
    values = {score.score for _, score in read}
    if len(different) < _FEWEST or len(values) > 1:
        return None
    by_uid = grouping.by_uid(problems)
    texts = [model.encoding.prompt_ids(by_uid[uid].question) for uid in {uid for uid, _ in different}]
    texts += [model.encoding.sample(sample).tokens for sample, _ in read]
    unseen = share_unseen(model.metadata, texts)
    said = "" if unseen is None else f", and it never saw {100 * unseen:.1f} % of these tokens when it was trained"
    return (
        f"{model.name} gives {len(different)} different solutions the same score, {values.pop():g}{said}: they may lie "
        "far outside what it was trained on, and its scores tell nothing here"
    )
