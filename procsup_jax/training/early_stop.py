"""Early stopping on the validation loss."""

from __future__ import annotations

import dataclasses
import math


@dataclasses.dataclass
class EarlyStop:
    """Follow the validation loss: the best so far, and how many evaluations ago it was.

    `patience` evaluations without a better loss end the training; 0 never does.
    """

    patience: int
    best_loss: float = math.inf
    best_step: int = 0
    num_worse: int = 0

    def update(self, step: int, loss: float) -> bool:
        """Take in the loss at `step` and return whether it is the best so far."""
        better = loss < self.best_loss
        if better:
            self.best_loss, self.best_step, self.num_worse = loss, step, 0
        else:
            self.num_worse += 1
        return better

    @property
    def stopped(self) -> bool:
        """Return whether training has gone on long enough without a better loss."""
        return 0 < self.patience <= self.num_worse
