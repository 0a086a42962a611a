"""pass@k: how probably one of k samples has the right answer (Chen et al. 2021, arXiv 2107.03374)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from procsup_jax.evals import intervals
from procsup_jax.evals.join import Joined


def probability(num_samples: int, num_right: int, k: int) -> float:
    """Return the share of all choices of k of the samples that hold a right one; raise ValueError unless 1 <= k <= n.

    Its expectation is the probability that k new samples hold one, whatever `num_samples` is.
    """
    if not 1 <= k <= num_samples or not 0 <= num_right <= num_samples:
        raise ValueError(f"k={k} of {num_samples} samples, {num_right} of them right")
    return 1 - math.comb(num_samples - num_right, k) / math.comb(num_samples, k)


def ks(joined: Joined) -> list[int]:
    """Return 1, 2, 4, ... and the number of samples of the problem that has the fewest; none without samples."""
    most = min((len(group) for group in joined.drawn.values()), default=0)
    return sorted({2**i for i in range(most.bit_length())} | ({most} if most else set()))


def measure(joined: Joined, *, seed: int = 0) -> dict[str, dict[str, Any]]:
    """Return for each of `ks`, as text, the mean over the problems, its interval (a bootstrap over them), and n."""
    groups = [joined.drawn[problem.uid] for problem in joined.problems] if joined.drawn else []
    counts = [(len(group), sum(sample.key in joined.right for sample in group)) for group in groups]
    found = {}
    for k in ks(joined):
        values_b = np.array([probability(n, right, k) for n, right in counts])
        found[str(k)] = intervals.shown(intervals.mean_over_problems(values_b, np.ones(len(values_b)), seed=seed))
    return found
