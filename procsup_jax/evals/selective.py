"""Selective prediction: the error on the problems that are left when the least certain ones are abstained on."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from procsup_jax.evals import intervals
from procsup_jax.searching import ties

ABSTAINED = tuple(tenth / 10 for tenth in range(10))


def selective(error_b: np.ndarray, score_b: Sequence[float]) -> list[intervals.Estimate]:
    """Return the error at each share of `ABSTAINED`, with Wilson's interval and n.

    At share x the round(x n) problems with the lowest scores of their chosen solution are left out, for every metric
    alike. Where only some of those that tie on a score are left out the error is the mean over all choices of them
    (docs/metrics.md), and n the mean number that counts, rounded for the interval too. `error_b` is NaN where a
    problem does not count (for trace error, one with a wrong answer or without labels): such a problem takes part in
    the ranking and not in the mean.
    """
    levels = ties.levels(score_b)
    return [_kept(error_b, levels, round(share * len(score_b))) for share in ABSTAINED]


def _kept(error_b: np.ndarray, levels: Sequence[Sequence[int]], num_out: int) -> intervals.Estimate:
    """Return the error when `num_out` problems of the lowest levels are left out."""
    above: list[int] = []
    for level in reversed(levels):
        num_kept = len(error_b) - num_out - len(above)
        if num_kept < len(level):
            shared = _counted(error_b[list(level)])
            return _shared(_counted(error_b[above]), shared, len(level), num_kept)
        above.extend(level)
    return intervals.proportion(error_b[above])


def _shared(above: np.ndarray, tied: np.ndarray, num_tied: int, num_kept: int) -> intervals.Estimate:
    """Return the mean error over all choices of `num_kept` among `num_tied` problems, of which `tied` count.

    How many of those that count are kept is hypergeometric; choices in which nothing counts have no error.
    """
    total, choices, count, weighted = math.fsum(above), 0, 0, []
    mean = math.fsum(tied) / len(tied) if len(tied) else 0.0
    for j in range(max(0, num_kept - (num_tied - len(tied))), min(len(tied), num_kept) + 1):
        if len(above) + j:
            ways = math.comb(len(tied), j) * math.comb(num_tied - len(tied), num_kept - j)
            choices, count = choices + ways, count + ways * (len(above) + j)
            weighted.append((ways, (total + j * mean) / (len(above) + j)))
    if not choices:
        return intervals.Estimate(None, None, 0)
    error = min(1.0, math.fsum(ways / choices * error for ways, error in weighted))
    n = round(count / choices)
    return intervals.Estimate(error, intervals.wilson(error, n), n)


def _counted(error_n: np.ndarray) -> np.ndarray:
    return error_n[~np.isnan(error_n)]
