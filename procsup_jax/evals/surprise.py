"""The control for reward models: verify a solution by nothing but how much each token surprised the policy."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import optimize, special

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
    """Hold a logistic regression on standardised `features`."""

    mean_f: np.ndarray
    scale_f: np.ndarray
    weight_f: np.ndarray
    bias: float

    def step_probs(self, step_logprobs: StepLogprobs) -> np.ndarray:
        """Return the probability of `correct` after each step, [s]."""
        return special.expit((features(step_logprobs) - self.mean_f) / self.scale_f @ self.weight_f + self.bias)


def fit(solutions: Sequence[StepLogprobs], correct: Sequence[Sequence[bool]], *, l2: float = 1.0) -> SurpriseVerifier:
    """Fit the control to the step labels of some solutions: maximum likelihood, weights and bias shrunk by `l2`.

    Without any step it says .5, and with labels that are all equal nearly that label, whatever it reads.
    """
    x_nf = np.concatenate([features([]), *(features(steps) for steps in solutions)])
    y_n = np.concatenate([np.zeros(0), *(np.asarray(labels, dtype=float) for labels in correct)])
    mean_f, scale_f = (x_nf.mean(0), x_nf.std(0)) if len(x_nf) else (np.zeros(x_nf.shape[1]), np.zeros(x_nf.shape[1]))
    scale_f[scale_f == 0] = 1.0
    x_nf = (x_nf - mean_f) / scale_f
    sign_n = 2 * y_n - 1

    def loss(param_p: np.ndarray) -> tuple[float, np.ndarray]:
        margin_n = sign_n * (x_nf @ param_p[:-1] + param_p[-1])
        pull_n = -sign_n * special.expit(-margin_n)
        grad_p = np.append(x_nf.T @ pull_n, pull_n.sum()) + l2 * param_p
        return float(np.logaddexp(0, -margin_n).sum() + l2 / 2 * (param_p**2).sum()), grad_p

    found = optimize.minimize(loss, np.zeros(x_nf.shape[1] + 1), jac=True, method="L-BFGS-B").x
    return SurpriseVerifier(mean_f, scale_f, found[:-1], float(found[-1]))
