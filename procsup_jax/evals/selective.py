"""Selective prediction: the error on the problems that are left when the least certain ones are abstained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from procsup_jax.evals import intervals

ABSTAINED = tuple(tenth / 10 for tenth in range(10))


def selective(error_b: np.ndarray, score_b: Sequence[float], uids: Sequence[str]) -> list[intervals.Estimate]:
    """Return the error at each share of `ABSTAINED`, with Wilson's interval and n.

    At share x the round(x n) problems with the lowest scores of their chosen solution are left out, for every metric
    alike; ties go by uid. `error_b` is NaN where a problem does not count (for trace error, one with a wrong answer
    or without labels): such a problem takes part in the ranking and not in the mean.
    """
    order = sorted(range(len(uids)), key=lambda i: (score_b[i], uids[i]))
    return [intervals.proportion(error_b[order[round(share * len(order)) :]]) for share in ABSTAINED]
