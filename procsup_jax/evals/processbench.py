"""ProcessBench (Zheng et al. 2024): finding the first wrong step of a solution. For evaluation only, never training."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from procsup_jax import grouping, json_lines
from procsup_jax.errors import UserError
from procsup_jax.evals import intervals
from procsup_jax.evals.intervals import Estimate
from procsup_jax.files import PathLike
from procsup_jax.text import answers, layout, steps
from procsup_jax.types import Key, Problem, Sample, Score

_STEPS = json_lines.Kind(
    "a list of strings, not empty",
    lambda value: json_lines.is_list(json_lines.TEXT.holds)(value) and value != [],
    tuple,
)
_LABEL = json_lines.Kind(
    "the index of the first wrong step, or -1 for none", lambda value: type(value) is int and value >= -1
)
_BOOL = json_lines.Kind("true or false", lambda value: isinstance(value, bool))


@dataclasses.dataclass(frozen=True)
class Item:
    """Hold one labelled solution; `label` is the 0-based index of its first wrong step, -1 when there is none."""

    uid: str
    question: str
    steps: tuple[str, ...]
    label: int
    final_answer_correct: bool
    generator: str | None = None


@dataclasses.dataclass(frozen=True)
class Result:
    """Hold ProcessBench's figures at a threshold.

    `erroneous` is the share of solutions with an error whose first wrong step was found exactly, `correct` the share
    of solutions without one in which no step was called wrong, `f1` their harmonic mean with a bootstrap interval over
    solutions, None if either has no cases.
    """

    erroneous: Estimate
    correct: Estimate
    f1: Estimate
    threshold: float


def read_processbench(path: PathLike, *, skip_bad: bool = False) -> list[Item]:
    """Read a ProcessBench file of JSON lines; a bad line is a UserError that names it, as is an empty file."""
    items = json_lines.read(path, _parse, ("id",), skip_bad=skip_bad)
    if not items:
        raise UserError(f"{path} holds no ProcessBench solutions; expected one JSON object a line")
    return items


def records(items: Sequence[Item]) -> tuple[list[Problem], list[Sample]]:
    """Return the items as problems and samples that reward models can score, with the steps that were labelled.

    ProcessBench has no reference answers: those of the problems are empty.
    """
    problems = [Problem(item.uid, item.question, "") for item in items]
    return problems, [_sample(item) for item in items]


def _sample(item: Item) -> Sample:
    solution = steps.join_steps(item.steps, layout.PARAGRAPHS.separator)
    answer = answers.extract_answer(solution)
    return Sample(item.uid, 0, solution, answer, policy=item.generator, steps=item.steps)


def step_probs(items: Sequence[Item], judge: str, scores: Sequence[Score]) -> list[tuple[float, ...]]:
    """Return the items' probabilities of `correct` after each step among a judge's scores of their samples.

    Raises `UserError` for an item without a score, or with one of other steps.
    """
    found = grouping.by_key(scores)
    missing = [item for item in items if _key(item) not in found]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(items)} ProcessBench solutions have no score by {judge}, first "
            f"{missing[0].uid!r}; score the samples that procsup data --dataset=processbench writes (--samples_output)"
        )
    return [found[_key(item)].step_probs for item in items]


def report(
    items: Sequence[Item], scores: Mapping[str, Sequence[Score]], thresholds: Mapping[str, float], *, seed: int = 0
) -> dict[str, Any]:
    """Return each judge's figures on the items at its threshold, as plain values ready for JSON."""
    judges = {}
    for judge, given in scores.items():
        found = evaluate(items, step_probs(items, judge, given), thresholds[judge], seed=seed)
        estimates = {"f1": found.f1, "erroneous": found.erroneous, "correct": found.correct}
        counts = {"erroneous_n": found.erroneous.n, "correct_n": found.correct.n}
        judges[judge] = {**intervals.with_intervals(estimates), **counts, "threshold": found.threshold}
    return {"dataset": "processbench", "n": len(items), "judges": judges, "seed": seed}


def evaluate(
    items: Sequence[Item], step_probs: Sequence[Sequence[float]], threshold: float = 0.5, *, seed: int = 0
) -> Result:
    """Return ProcessBench's metric: a solution's first step of probability below `threshold` is called wrong.

    `step_probs[i]` are the probabilities of `correct` after each step of `items[i]`. Choose a threshold on other
    items than those it is reported on (`choose_threshold`). `seed` is the bootstrap's.
    """
    label_b, prob_bs = _arrays(items, step_probs)
    right_b, wrong_b = (_first_below(prob_bs, threshold) == label_b).astype(float), (label_b >= 0).astype(float)
    erroneous, correct = intervals.proportion(right_b[label_b >= 0]), intervals.proportion(right_b[label_b < 0])
    f1, interval = _harmonic_mean(erroneous.value, correct.value), None
    if f1 is not None and 0 < f1 < 1:  # where nothing varies there are too few cases, not certainty
        a_r, b_r = (intervals.resampled_means(right_b, weight_b, seed=seed) for weight_b in (wrong_b, 1 - wrong_b))
        with np.errstate(invalid="ignore"):
            interval = intervals.percentiles(np.where(a_r + b_r == 0, 0.0, 2 * a_r * b_r / (a_r + b_r)))
    return Result(erroneous, correct, Estimate(f1, interval, len(items)), threshold)


def choose_threshold(items: Sequence[Item], step_probs: Sequence[Sequence[float]]) -> float:
    """Return the threshold of highest F1 on these items; of equally good ones that nearest to .5.

    Candidates are 0, 1 and the midpoints between neighbouring probabilities, which are all that differ. Raises
    `UserError` when the items do not hold both correct and erroneous solutions.
    """
    label_b, prob_bs = _arrays(items, step_probs)
    wrong_b = label_b >= 0
    if wrong_b.all() or not wrong_b.any():
        raise UserError(
            f"found {int(wrong_b.sum())} erroneous of {len(items)} ProcessBench solutions, "
            "expected erroneous and correct ones to choose a threshold by; give more of the file"
        )
    probs = np.unique(prob_bs[np.isfinite(prob_bs)])
    best, chosen = -1.0, 0.5
    for threshold in sorted((0.0, 1.0, *((probs[1:] + probs[:-1]) / 2)), key=lambda t: (abs(t - 0.5), t)):
        right_b = _first_below(prob_bs, threshold) == label_b
        f1 = _harmonic_mean(float(right_b[wrong_b].mean()), float(right_b[~wrong_b].mean()))
        if f1 is not None and f1 > best:
            best, chosen = f1, float(threshold)
    return chosen


def _key(item: Item) -> Key:
    return item.uid, 0, None


def _parse(line: Mapping[str, Any]) -> Item:
    item = Item(
        json_lines.take(line, "id", json_lines.NAME),
        json_lines.take(line, "problem", json_lines.TEXT),
        json_lines.take(line, "steps", _STEPS),
        json_lines.take(line, "label", _LABEL),
        json_lines.take(line, "final_answer_correct", _BOOL),
        json_lines.take(line, "generator", json_lines.TEXT) if "generator" in line else None,
    )
    if item.label >= len(item.steps):
        raise json_lines.BadLine(f'"label" is {item.label}, expected less than the number of steps, {len(item.steps)}')
    return item


def _arrays(items: Sequence[Item], step_probs: Sequence[Sequence[float]]) -> tuple[np.ndarray, np.ndarray]:
    """Return labels [b] and probabilities [b, s], padded with inf, which is below no threshold."""
    if len(items) != len(step_probs):
        raise UserError(f"found {len(step_probs)} scores for {len(items)} ProcessBench solutions, expected one each")
    prob_bs = np.full((len(items), max((len(item.steps) for item in items), default=1)), np.inf)
    for i, (item, probs) in enumerate(zip(items, step_probs, strict=True)):
        if len(probs) != len(item.steps):
            raise UserError(
                f"ProcessBench solution {item.uid!r} has {len(probs)} step scores, expected {len(item.steps)}, "
                "one a step; score the samples that procsup data --dataset=processbench writes"
            )
        prob_bs[i, : len(probs)] = probs
    return np.array([item.label for item in items], dtype=int), prob_bs


def _first_below(prob_bs: np.ndarray, threshold: float) -> np.ndarray:
    below_bs = prob_bs < threshold
    return np.where(below_bs.any(axis=1), below_bs.argmax(axis=1), -1)


def _harmonic_mean(a: float | None, b: float | None) -> float | None:
    if a is None or b is None:
        return None
    return 2 * a * b / (a + b) if a + b else 0.0
