"""The control for reward models: verify a solution by nothing but how much each token surprised the policy."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from procsup_jax.evals import logistic
from procsup_jax.evals.logistic import Logistic

# Log-probabilities (nats) below which a token counts as surprising: 1/e, 1/10, 1/100.
THRESHOLDS = (-1.0, -2.3, -4.6)

StepLogprobs = Sequence[np.ndarray]


def features(step_logprobs: StepLogprobs) -> np.ndarray:
    """Return what was surprising after each step, [s, f], from the log-probabilities (nats) of each step's tokens.

    The worst token and the sum of the step, the worst and the sum so far, how many tokens so far lie below each of
    `THRESHOLDS`, and the step's number.
    """
    rows, seen = [], np.zeros(0)
    for number, logprob_t in enumerate(step_logprobs):
        seen = np.concatenate([seen, logprob_t])
        counts = [(seen < threshold).sum() for threshold in THRESHOLDS]
        rows.append([logprob_t.min(), logprob_t.sum(), seen.min(), seen.sum(), *counts, number])
    return np.array(rows, dtype=float).reshape(len(rows), 5 + len(THRESHOLDS))


@dataclasses.dataclass(frozen=True, eq=False)
class SurpriseVerifier:
    """Hold a logistic regression on `features`."""

    regression: Logistic

    def step_probs(self, step_logprobs: StepLogprobs) -> np.ndarray:
        """Return the probability of `correct` after each step, [s]."""
        return self.regression.probs(features(step_logprobs))


def fit(
    solutions: Sequence[StepLogprobs], correct: Sequence[Sequence[bool | None]], *, l2: float = 1.0
) -> SurpriseVerifier:
    """Fit the control to the step labels of some solutions, unknown ones left out."""
    x_nf = np.concatenate([features([]), *(features(steps) for steps in solutions)])
    y_n = np.concatenate([np.zeros(0), *(np.asarray(labels, dtype=float) for labels in correct)])
    known_n = ~np.isnan(y_n)
    return SurpriseVerifier(logistic.fit(x_nf[known_n], y_n[known_n], l2=l2))
