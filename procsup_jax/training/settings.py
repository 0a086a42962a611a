"""What a fit is asked to do, and what it gives back."""

from __future__ import annotations

import dataclasses

from procsup_jax.io.metrics import Record
from procsup_jax.models import api
from procsup_jax.ranges import BadValue, Count, ShareBelowOne, Size, check
from procsup_jax.training.optim import OptimSettings


@dataclasses.dataclass(frozen=True)
class FitSettings:
    """Set a fit: its optimiser, length and batch, and every how many steps what happens.

    `batch_size` is in packed rows and split into `grad_accum` microbatches; `dropout` replaces the model's.
    `eval_every` steps, and after the last one, the validation loss is taken; 0: after the last one only. Training ends
    after `patience` evaluations without a better one; 0: never early. `checkpoint_every` 0 keeps no checkpoints, which
    suits fits shorter than a minute. Raises UserError for values out of range.
    """

    optim: OptimSettings = OptimSettings()
    num_steps: Count = 1000
    batch_size: Count = 32
    grad_accum: Count = 1
    dropout: ShareBelowOne = 0.0
    eval_every: Size = 0
    patience: Size = 0
    checkpoint_every: Size = 0
    log_every: Count = 10

    def __post_init__(self) -> None:
        check(self)
        if self.batch_size % self.grad_accum:
            expected = f"a positive multiple of {self.grad_accum}, its grad_accum={self.grad_accum} microbatches"
            raise BadValue("batch_size", self.batch_size, expected)


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
