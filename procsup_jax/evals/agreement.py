"""How often reward models and labels agree on a step (paper, figure of RM agreement)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

JUDGES = ("orm_prediction", "prm_prediction", "orm_label", "prm_label")
THRESHOLD = 0.5


def predictions(prob_s: np.ndarray) -> np.ndarray:
    """Return 1.0 where a probability of `correct` is at least .5, else 0.0."""
    return (prob_s >= THRESHOLD).astype(float)


def matrix(verdict_s: Mapping[str, np.ndarray]) -> tuple[dict[str, dict[str, float | None]], int]:
    """Return the share of steps on which each two of `JUDGES` agree, and the number of steps.

    `verdict_s` holds, for the judges there are, 1.0 (correct), 0.0 (incorrect), between them the share of raters that
    say correct, or NaN for no verdict. All cells are taken over the same steps, those on which every judge given has
    a verdict, so that they can be compared. Agreement with several raters is the mean over them; a judge agrees with
    itself. Cells of absent judges are None.
    """
    shown = [judge for judge in JUDGES if judge in verdict_s]
    verdict_js = np.array([verdict_s[judge] for judge in shown]) if shown else np.zeros((0, 0))
    verdict_js = verdict_js[:, ~np.isnan(verdict_js).any(axis=0)]
    n = verdict_js.shape[1]
    cells: dict[str, dict[str, float | None]] = {row: dict.fromkeys(JUDGES) for row in JUDGES}
    for i, row in enumerate(shown):
        for j, column in enumerate(shown):
            if n:
                both = verdict_js[i] * verdict_js[j] + (1 - verdict_js[i]) * (1 - verdict_js[j])
                cells[row][column] = 1.0 if i == j else float(both.mean())
    return cells, n
