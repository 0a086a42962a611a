"""Logistic regression, for controls: what little knowledge of a solution tells of its steps."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import optimize, special


@dataclasses.dataclass(frozen=True, eq=False)
class Logistic:
    """Hold a logistic regression on standardised features."""

    mean_f: np.ndarray
    scale_f: np.ndarray
    weight_f: np.ndarray
    bias: float

    def probs(self, x_nf: np.ndarray) -> np.ndarray:
        """Return the probability of label 1 of each row of features, [n]."""
        return special.expit((x_nf - self.mean_f) / self.scale_f @ self.weight_f + self.bias)


def fit(x_nf: np.ndarray, y_n: np.ndarray, *, l2: float = 1.0) -> Logistic:
    """Fit labels 0 and 1 by maximum likelihood, weights and bias shrunk by `l2`.

    Without any row it says .5, and with labels that are all equal nearly that label, whatever it reads.
    """
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
    return Logistic(mean_f, scale_f, found[:-1], float(found[-1]))
