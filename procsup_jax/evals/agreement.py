"""How often reward models and labels agree on a step (paper, figure of RM agreement)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from procsup_jax.evals import intervals

# The labels in the matrix: those by the final answer, which an ORM is trained on, and process labels.
OUTCOME_LABEL, PROCESS_LABEL = "orm_label", "prm_label"
THRESHOLD = 0.5


def prediction(judge: str) -> str:
    """Return what the predictions of a reward model are called in the matrix."""
    return f"{judge}_prediction"


def predictions(prob_s: np.ndarray) -> np.ndarray:
    """Return 1.0 where a probability of `correct` is at least .5, else 0.0."""
    return (prob_s >= THRESHOLD).astype(float)


def share(prob_n: np.ndarray, right_n: np.ndarray, problem_n: np.ndarray) -> intervals.Estimate:
    """Return the share of steps on which a reward model's prediction agrees with a label, with its interval.

    `right_n` is the label, or between 0 and 1 the share of raters that say correct; `problem_n` groups steps by
    problem for the interval, as in `verifier.auc`.
    """
    if not len(prob_n):
        return intervals.Estimate(None, None, 0)
    agrees_n = _agree(predictions(prob_n), right_n)
    value = float(agrees_n.mean())
    return intervals.Estimate(
        value, intervals.clustered(value, (agrees_n - value) / len(agrees_n), problem_n), len(agrees_n)
    )


def matrix(verdict_s: Mapping[str, np.ndarray]) -> tuple[dict[str, dict[str, float | None]], int]:
    """Return the share of steps on which each two judges agree, and the number of steps.

    `verdict_s` holds, for the predictions and labels there are, 1.0 (correct), 0.0 (incorrect), between them the share
    of raters that say correct, or NaN for no verdict. All cells are taken over the same steps, those on which every
    judge given has a verdict, so that they can be compared. Agreement with several raters is the mean over them; a
    judge agrees with itself. The paper's four have rows and columns in any case; cells of absent ones are None.
    """
    judges = _in_order(verdict_s)
    shown = [judge for judge in judges if judge in verdict_s]
    verdict_js = np.array([verdict_s[judge] for judge in shown]) if shown else np.zeros((0, 0))
    verdict_js = verdict_js[:, ~np.isnan(verdict_js).any(axis=0)]
    n = verdict_js.shape[1]
    cells: dict[str, dict[str, float | None]] = {row: dict.fromkeys(judges) for row in judges}
    for i, row in enumerate(shown):
        for j, column in enumerate(shown):
            if n:
                cells[row][column] = 1.0 if i == j else float(_agree(verdict_js[i], verdict_js[j]).mean())
    return cells, n


def _in_order(given: Iterable[str]) -> tuple[str, ...]:
    paper, labels = tuple(map(prediction, ("orm", "prm"))), (OUTCOME_LABEL, PROCESS_LABEL)
    return (*paper, *(judge for judge in given if judge not in (*paper, *labels)), *labels)


def _agree(a_s: np.ndarray, b_s: np.ndarray) -> np.ndarray:
    """Return how probably two verdicts are the same, each the probability of `correct`."""
    return a_s * b_s + (1 - a_s) * (1 - b_s)
