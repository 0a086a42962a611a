"""What training is asked to do; imports no jax."""

from __future__ import annotations

import dataclasses
from typing import Literal

from procsup_jax.errors import UserError
from procsup_jax.models.config import HeadKind

SCHEDULES = ("constant", "cosine", "linear")
ALGORITHMS = ("adamw", "muon")

Task = Literal["sft", "distil", "orm", "prm"]


@dataclasses.dataclass(frozen=True)
class OptimSettings:
    """Set the optimiser. Raises UserError for values out of range."""

    algorithm: Literal["adamw", "muon"] = "adamw"
    """"muon" orthogonalises the updates of the matrices (Jordan et al. 2024) and leaves embeddings and norms to AdamW,
    for training a model from nothing; both take learning rates of the same size."""
    peak_lr: float = 1e-3
    """The highest learning rate, reached after the warm-up."""
    warmup_steps: int = 0
    """Steps over which the rate rises linearly; the first one already moves."""
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    """How the rate goes on from there until all steps are done."""
    end_lr_ratio: float = 0.0
    """The rate that a falling schedule ends at, as a share of the peak."""
    weight_decay: float = 0.1
    """AdamW's, times the learning rate, on matrices only: not on embeddings, norms or biases."""
    b1: float = 0.9
    """AdamW's decay of the mean of gradients."""
    b2: float = 0.95
    """AdamW's decay of the mean of their squares."""
    clip_norm: float = 1.0
    """Gradients are clipped to this global norm; 0 turns that off."""

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise UserError(f"algorithm={self.algorithm!r}: expected one of {', '.join(ALGORITHMS)}")
        if self.schedule not in SCHEDULES:
            raise UserError(f"schedule={self.schedule!r}: expected one of {', '.join(SCHEDULES)}")
        if self.peak_lr <= 0:
            raise UserError(f"peak_lr={self.peak_lr}: expected a positive number, such as 1e-3")
        for name in ("warmup_steps", "end_lr_ratio", "weight_decay", "clip_norm"):
            if getattr(self, name) < 0:
                raise UserError(f"{name}={getattr(self, name)}: expected 0 or more")
        for name in ("b1", "b2"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"{name}={getattr(self, name)}: expected 0 <= {name} < 1")


@dataclasses.dataclass(frozen=True)
class FitSettings:
    """Set a fit: its optimiser, length and batch, and every how many steps what happens.

    Raises UserError for values out of range.
    """

    optim: OptimSettings = OptimSettings()
    num_steps: int = 1000
    """Steps of training."""
    batch_size: int = 32
    """Packed rows in a step."""
    grad_accum: int = 1
    """Microbatches that a step's rows are split into: less memory, the same step."""
    dropout: float = 0.0
    """Replaces the model's."""
    eval_every: int = 0
    """Steps between validation losses, of which there is one after the last step too; 0: after the last one only."""
    patience: int = 0
    """Training ends after so many evaluations without a better one; 0: never early."""
    checkpoint_every: int = 0
    """Steps between checkpoints; 0 keeps none, which suits fits shorter than a minute."""
    log_every: int = 10
    """Steps between lines of metrics."""

    def __post_init__(self) -> None:
        for name, least in (
            ("num_steps", 1), ("batch_size", 1), ("grad_accum", 1), ("log_every", 1),
            ("eval_every", 0), ("patience", 0), ("checkpoint_every", 0),
        ):  # fmt: skip
            if getattr(self, name) < least:
                raise UserError(f"{name}={getattr(self, name)}: expected {least} or more")
        if not 0 <= self.dropout < 1:
            raise UserError(f"dropout={self.dropout}: expected 0 <= dropout < 1")


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """Set how a model is trained on files. Raises UserError for a share that is none."""

    fit: FitSettings = FitSettings()
    seq_len: int = 512
    """The length of the rows that examples are packed into; longer ones are left out and counted."""
    head: HeadKind = "verdict"
    """How a reward model reads a solution; one that has a head of this kind goes on from it."""
    validation: float = 0.1
    """The share of the problems, drawn by the seed, whose examples are held out: they choose the best parameters, and
    `fit.patience` stops by them."""

    def __post_init__(self) -> None:
        if not 0 <= self.validation < 1:
            raise UserError(f"validation={self.validation}: expected a share from 0 (none) to below 1")
