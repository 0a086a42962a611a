"""What a fit is asked to do, and what it gives back."""

from __future__ import annotations

import dataclasses

from procsup_jax.errors import UserError
from procsup_jax.io.metrics import Record
from procsup_jax.models import api
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
    num_steps: int = 1000
    batch_size: int = 32
    grad_accum: int = 1
    dropout: float = 0.0
    eval_every: int = 0
    patience: int = 0
    checkpoint_every: int = 0
    log_every: int = 10

    def __post_init__(self) -> None:
        for name, least in (
            ("num_steps", 1), ("batch_size", 1), ("grad_accum", 1), ("log_every", 1),
            ("eval_every", 0), ("patience", 0), ("checkpoint_every", 0),
        ):  # fmt: skip
            if getattr(self, name) < least:
                raise UserError(f"{name}={getattr(self, name)}: expected {least} or more")
        if not 0 <= self.dropout < 1:
            raise UserError(f"dropout={self.dropout}: expected 0 <= dropout < 1")


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
