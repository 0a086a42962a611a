"""How well a reward model tells right from wrong: AUC with ties and an interval over problems, Brier score, ECE."""

from __future__ import annotations

import numpy as np

from procsup_jax.evals import intervals


def auc(score_n: np.ndarray, right_n: np.ndarray, problem_n: np.ndarray) -> intervals.Estimate:
    """Return the probability that a right case scores above a wrong one, ties counting half.

    `right_n` is 1 for right and 0 for wrong, or between them the share of raters that say right: the case then
    stands for one of each, so weighted. `problem_n` groups cases by problem: the interval's variance is that of the
    problems' influences on the AUC (DeLong et al. 1988, clustered as in Obuchowski 1997), not as if cases were
    independent. None where either side is empty; no interval for a single problem or a perfect separation; n counts
    cases.
    """
    n, right, wrong = len(score_n), float(right_n.sum()), float((1 - right_n).sum())
    if right == 0 or wrong == 0:
        return intervals.Estimate(None, None, n)
    values, level_n = np.unique(score_n, return_inverse=True)
    right_v = np.bincount(level_n, right_n, len(values))
    wrong_v = np.bincount(level_n, 1 - right_n, len(values))
    wrong_below_v = (np.cumsum(wrong_v) - wrong_v / 2) / wrong
    right_above_v = 1 - (np.cumsum(right_v) - right_v / 2) / right
    value = float((right_v * wrong_below_v).sum() / right)
    influence_n = right_n * (wrong_below_v[level_n] - value) / right
    influence_n = influence_n + (1 - right_n) * (right_above_v[level_n] - value) / wrong
    return intervals.Estimate(value, intervals.clustered(value, influence_n, problem_n), n)


def brier(prob_n: np.ndarray, right_n: np.ndarray) -> float | None:
    """Return the mean squared distance of probabilities from labels, None without cases.

    A label between 0 and 1, a share of raters, gives the mean over its raters.
    """
    if not len(prob_n):
        return None
    return float((right_n * (1 - prob_n) ** 2 + (1 - right_n) * prob_n**2).mean())


def calibration_error(prob_n: np.ndarray, right_n: np.ndarray, num_bins: int = 10) -> float | None:
    """Return the expected calibration error: |mean probability - share right| over bins of equal width, by weight."""
    if not len(prob_n):
        return None
    bin_n = np.minimum((prob_n * num_bins).astype(int), num_bins - 1)
    return float(np.abs(np.bincount(bin_n, prob_n - right_n, num_bins)).sum() / len(prob_n))
