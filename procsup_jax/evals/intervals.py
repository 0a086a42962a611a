"""95 % intervals: of one proportion, of differences over the same problems, over repeated runs."""

from __future__ import annotations

import dataclasses
import functools
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Interval = tuple[float, float]

LEVEL = 0.95
NORMAL_QUANTILE = statistics.NormalDist().inv_cdf((1 + LEVEL) / 2)


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Hold a value, its 95 % interval and the number of cases behind it; None where nothing can be said."""

    value: float | None
    interval: Interval | None
    n: int


def with_intervals(estimates: Mapping[str, Estimate]) -> dict[str, Any]:
    """Return the values by name, ready for JSON, and under `intervals` their intervals by the same names."""
    found: dict[str, Any] = {name: estimate.value for name, estimate in estimates.items()}
    found["intervals"] = {name: one.interval and list(one.interval) for name, one in estimates.items()}
    return found


def wilson(share: float | None, n: int) -> Interval | None:
    """Return Wilson's score interval of a proportion, None for n = 0.

    `share` is in [0, 1]; with several raters it is their mean, and n still counts problems.
    """
    if n == 0 or share is None:
        return None
    centre = share + NORMAL_QUANTILE**2 / (2 * n)
    half = NORMAL_QUANTILE * math.sqrt(share * (1 - share) / n + NORMAL_QUANTILE**2 / (4 * n**2))
    scale = 1 + NORMAL_QUANTILE**2 / n
    # At 0 and 1 rounding would leave the end a hair inside.
    return max(0.0, min(share, (centre - half) / scale)), min(1.0, max(share, (centre + half) / scale))


def proportion(values_b: np.ndarray) -> Estimate:
    """Return the mean of the values that are not NaN, with Wilson's interval and their number."""
    counted = values_b[~np.isnan(values_b)]
    # fsum is exact, so that the order of problems does not show.
    share = math.fsum(counted) / len(counted) if len(counted) else None
    return Estimate(share, wilson(share, len(counted)), len(counted))


def clustered(value: float, influence_n: np.ndarray, problem_n: np.ndarray) -> Interval | None:
    """Return a normal interval in [0, 1] from the cases' influences on a value, those of one problem taken together.

    None for a single problem, and for a value of 0 or 1: where nothing varies there are too few cases, not certainty.
    """
    _, group_n = np.unique(problem_n, return_inverse=True)
    influence_g = np.bincount(group_n, influence_n)
    if len(influence_g) < 2 or min(value, 1 - value) < 1e-12:
        return None
    error = math.sqrt(len(influence_g) / (len(influence_g) - 1) * float((influence_g**2).sum()))
    return max(0.0, value - NORMAL_QUANTILE * error), min(1.0, value + NORMAL_QUANTILE * error)


def bootstrap_mean(values_b: np.ndarray, weights_b: np.ndarray, *, seed: int, num_resamples: int = 2000) -> Estimate:
    """Return the mean of one value a problem, weighted, with a percentile bootstrap interval over problems.

    A problem of weight 0 does not count; `values_b` may hold anything there.
    """
    counted = weights_b > 0
    if not counted.any():
        return Estimate(None, None, 0)
    values_b = np.where(counted, values_b, 0.0)
    mean = float((values_b * weights_b).sum() / weights_b.sum())
    resampled_r = resampled_means(values_b, weights_b, seed=seed, num_resamples=num_resamples)
    return Estimate(mean, percentiles(resampled_r), int(counted.sum()))


def mean_over_problems(values_b: np.ndarray, weights_b: np.ndarray, *, seed: int) -> Estimate:
    """Return a mean of shares as `bootstrap_mean` does, with Wilson's interval where every problem has 0, or 1.

    Where nothing varies no resample does, which is no certainty: the interval is that of one share a problem.
    """
    return spread(bootstrap_mean(values_b, weights_b, seed=seed))


def shown(found: Estimate) -> dict[str, Any]:
    """Return an estimate by itself, ready for JSON: `value`, `interval` and `n`."""
    return {"value": found.value, "interval": found.interval and list(found.interval), "n": found.n}


def spread(mean: Estimate) -> Estimate:
    """Return a bootstrap mean of shares with Wilson's interval where its own is a single point."""
    if mean.interval is None or mean.interval[0] < mean.interval[1]:
        return mean
    return dataclasses.replace(mean, interval=wilson(mean.value, mean.n))


def resampled_means(values_b: np.ndarray, weights_b: np.ndarray, *, seed: int, num_resamples: int = 2000) -> np.ndarray:
    """Return the weighted mean of each bootstrap resample of cases, [r]; NaN where none of weight is in it.

    Resamples of one seed and number of cases are the same, so that means of several values go together.
    """
    return _weighted_means(values_b, weights_b, _resample_counts(len(values_b), num_resamples, seed))


def paired_difference(a_b: np.ndarray, b_b: np.ndarray, *, seed: int, num_resamples: int = 2000) -> Estimate:
    """Return mean(a) - mean(b) with a percentile bootstrap interval that resamples problems, both sides together.

    `a_b[i]` and `b_b[i]` belong to the same problem, NaN where it does not count for that side (such as the trace of
    a wrong answer), so that each mean runs over its own problems. n counts the problems that count for either side.
    """
    if len(a_b) != len(b_b):
        raise ValueError(f"{len(a_b)} and {len(b_b)} problems, expected the same ones on both sides")
    valid_a, valid_b = (~np.isnan(a_b)).astype(float), (~np.isnan(b_b)).astype(float)
    n = int(np.maximum(valid_a, valid_b).sum())
    if not valid_a.any() or not valid_b.any():
        return Estimate(None, None, n)
    counts_rb = _resample_counts(len(a_b), num_resamples, seed)
    resampled = _weighted_means(np.nan_to_num(a_b), valid_a, counts_rb) - _weighted_means(
        np.nan_to_num(b_b), valid_b, counts_rb
    )
    return Estimate(float(np.nanmean(a_b) - np.nanmean(b_b)), percentiles(resampled), n)


def over_runs(values: Sequence[float | None]) -> Estimate:
    """Return the mean over runs (seeds, bases) with Student's t interval; n counts the runs that have a value.

    The interval treats runs as drawn from all runs there could be, so it covers new seeds, and it is wide for few of
    them; a single run has none. Values are taken as they are: shares are not clipped to [0, 1].
    """
    found = [value for value in values if value is not None]
    if not found:
        return Estimate(None, None, 0)
    mean, n = statistics.fmean(found), len(found)
    if n == 1:
        return Estimate(mean, None, 1)
    from scipy import special  # slow to import, and needed here alone

    half = float(special.stdtrit(n - 1, (1 + LEVEL) / 2)) * statistics.stdev(found) / math.sqrt(n)
    return Estimate(mean, (mean - half, mean + half), n)


@functools.lru_cache(maxsize=4)
def _resample_counts(n: int, num_resamples: int, seed: int) -> np.ndarray:
    """Return how often each resample holds each problem, [r, b]; the same for every metric of one evaluation."""
    rng = np.random.default_rng([seed, n])
    return rng.multinomial(n, np.full(n, 1 / n), size=num_resamples).astype(np.float32) if n else np.zeros((0, 0))


def _weighted_means(values_b: np.ndarray, weights_b: np.ndarray, counts_rb: np.ndarray) -> np.ndarray:
    totals = counts_rb @ weights_b
    with np.errstate(invalid="ignore", divide="ignore"):
        return (counts_rb @ (values_b * weights_b)) / totals


def percentiles(resampled_r: np.ndarray) -> Interval | None:
    """Return the middle 95 % of resampled values, NaN left out; None where there are none."""
    # A resample that holds no problem that counts has no mean.
    resampled_r = resampled_r[~np.isnan(resampled_r)]
    if not len(resampled_r):
        return None
    low, high = np.quantile(resampled_r, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
