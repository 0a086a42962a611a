"""Do reward models emulate process feedback, and how much of that would predictors that know nothing (finding 2).

Where a step's process label and its outcome label are the same, a prediction agrees with both or with neither. So the
gap, how much more it agrees with the one than with the other, is about the disputed steps alone: those before the first
mistake of a wrong answer, where whoever says `correct` sides with the process label, and those from the first mistake
on of a right answer, where whoever says `incorrect` does. What says either there without looking has a gap too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from procsup_jax.evals import intervals

ALWAYS_CORRECT, FALLING = BASELINES = ("always_correct", "falling")


@dataclasses.dataclass(frozen=True)
class Steps:
    """Hold one value a step of all samples.

    `process_s` is the share of raters that call the step correct, NaN where none has a label of it; `outcome_s` 1
    where the sample's final answer is right; `problem_s` the number of its problem; `left_s` how many steps of the
    sample come after it.
    """

    process_s: np.ndarray
    outcome_s: np.ndarray
    problem_s: np.ndarray
    left_s: np.ndarray

    @property
    def before_mistake_s(self) -> np.ndarray:
        """Return how far each step is disputed as one before the first mistake of a wrong answer."""
        return self.process_s * (1 - self.outcome_s)

    @property
    def from_mistake_s(self) -> np.ndarray:
        """Return how far each step is disputed as one from the first mistake on of a right answer."""
        return (1 - self.process_s) * self.outcome_s

    def at(self, chosen_s: np.ndarray) -> Steps:
        """Return the chosen steps."""
        return Steps(*(getattr(self, field.name)[chosen_s] for field in dataclasses.fields(self)))


def measure(correct_s: Mapping[str, np.ndarray], steps: Steps, *, seed: int = 0) -> dict[str, Any]:
    """Return the gaps of predictors, which say 1 (correct) or 0 (incorrect) of each step, and of the two baselines.

    `n` counts the steps that have a process label; `disputed` are the shares of them on which the labels differ, those
    before a mistake and those from a mistake on. `by` holds for each predictor how often it agrees with `process` and
    with `outcome` labels, the `gap` between the two, the shares of both kinds of disputed steps on which it sides with
    the process label, and how far its gap lies above the baselines', intervals over problems beside all gaps:
    `always_correct`, and `falling`, which calls the same number of last steps of every sample incorrect (`last`), the
    number for which its gap is largest: the most that a score that only falls can have without knowing anything.
    """
    known_s = ~np.isnan(steps.process_s)
    steps = steps.at(known_s)
    n = len(steps.process_s)
    disputed = {"before_mistake": _mean(steps.before_mistake_s), "from_mistake": _mean(steps.from_mistake_s)}
    if not n:
        return {"n": 0, "disputed": disputed, "by": {}}
    last = _best_fall(steps)
    baselines = {ALWAYS_CORRECT: np.ones(n), FALLING: (steps.left_s >= last).astype(float)}
    given = {name: values_s[known_s] for name, values_s in correct_s.items()}
    by = {
        name: _predictor(values_s, steps, {} if name in BASELINES else baselines, seed)
        for name, values_s in {**given, **baselines}.items()
    }
    by[FALLING]["last"] = last
    return {"n": n, "disputed": disputed, "by": by}


def _predictor(correct_s: np.ndarray, steps: Steps, baselines: Mapping[str, np.ndarray], seed: int) -> dict[str, Any]:
    says_s = 2 * correct_s - 1
    between_s = steps.process_s - steps.outcome_s
    gaps = {"gap": says_s * between_s}
    gaps |= {f"above_{name}": (says_s - (2 * other_s - 1)) * between_s for name, other_s in baselines.items()}
    estimates = {name: _over_problems(gap_s, steps.problem_s, seed) for name, gap_s in gaps.items()}
    return {
        "process": float(_agree(correct_s, steps.process_s).mean()),
        "outcome": float(_agree(correct_s, steps.outcome_s).mean()),
        "before_mistake": _mean(correct_s, steps.before_mistake_s),
        "from_mistake": _mean(1 - correct_s, steps.from_mistake_s),
        **intervals.with_intervals(estimates),
    }


def _best_fall(steps: Steps) -> int:
    """Return how many last steps are best called incorrect, the fewer the better where several numbers are."""
    between_s = steps.process_s - steps.outcome_s
    at_p = np.bincount(steps.left_s, between_s)
    # The gap without any called incorrect, less twice what those give that are.
    gap_k = between_s.sum() - 2 * np.concatenate([[0.0], np.cumsum(at_p)])
    return int(np.argmax(gap_k))


def _over_problems(values_s: np.ndarray, problem_s: np.ndarray, seed: int) -> intervals.Estimate:
    weights_b = np.bincount(problem_s).astype(float)
    values_b = np.bincount(problem_s, values_s) / np.maximum(weights_b, 1)
    return intervals.bootstrap_mean(values_b, weights_b, seed=seed)


def _agree(a_s: np.ndarray, b_s: np.ndarray) -> np.ndarray:
    return a_s * b_s + (1 - a_s) * (1 - b_s)


def _mean(values_s: np.ndarray, weights_s: np.ndarray | None = None) -> float | None:
    total = len(values_s) if weights_s is None else weights_s.sum()
    return None if not total else float((values_s if weights_s is None else values_s * weights_s).sum() / total)
