"""What a fit gives back."""

from __future__ import annotations

import dataclasses

from procsup_jax.io.metrics import Record
from procsup_jax.models import api


@dataclasses.dataclass(frozen=True, eq=False)
class FitResult:
    """Hold what a fit gives back.

    `params` are those of the best validation loss, after `best_step` steps, or without validation data the last.
    `history` has a record for each log line: `step`, `loss` (mean nats since the last one), `accuracy`, `grad_norm`,
    `lr`, and for each evaluation: `step`, `valid_loss`, `valid_accuracy`.
    """

    params: api.Params
    best_step: int
    history: list[Record]
