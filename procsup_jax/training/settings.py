"""What training is asked to do; imports no jax."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args

from procsup_jax.free import FREE
from procsup_jax.models.config import HeadKind, ModelConfig
from procsup_jax.ranges import Amount, BadValue, Count, Positive, ShareBelowOne, Size, check, hints_of

SCHEDULES = ("constant", "cosine", "linear")
ALGORITHMS = ("adamw", "muon")

Task = Literal["sft", "distil", "orm", "prm"]
# What a fit may replace of a model's config; "" keeps it.
REPLACED = ("dtype", "remat", "attention")


@dataclasses.dataclass(frozen=True)
class OptimSettings:
    """Set the optimiser. Raises UserError for values out of range."""

    algorithm: Literal["adamw", "muon"] = "adamw"
    """"muon" orthogonalises the updates of the matrices (Jordan et al. 2024) and leaves embeddings and norms to AdamW,
    for training a model from nothing; both take learning rates of the same size."""
    peak_lr: Positive = 1e-3
    """The highest learning rate, reached after the warm-up."""
    warmup_steps: Size = 0
    """Steps over which the rate rises linearly; the first one already moves."""
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    """How the rate goes on from there until all steps are done."""
    end_lr_ratio: Amount = 0.0
    """The rate that a falling schedule ends at, as a share of the peak."""
    weight_decay: Amount = 0.1
    """AdamW's, times the learning rate, on matrices only: not on embeddings, norms or biases."""
    b1: ShareBelowOne = 0.9
    """AdamW's decay of the mean of gradients."""
    b2: ShareBelowOne = 0.95
    """AdamW's decay of the mean of their squares."""
    clip_norm: Amount = 1.0
    """Gradients are clipped to this global norm; 0 turns that off."""

    def __post_init__(self) -> None:
        for name, choices in (("algorithm", ALGORITHMS), ("schedule", SCHEDULES)):
            if getattr(self, name) not in choices:
                raise BadValue(name, getattr(self, name), f"one of {', '.join(choices)}")
        check(self)


@dataclasses.dataclass(frozen=True)
class FitSettings:
    """Set a fit: its optimiser, length and batch, and every how many steps what happens.

    Raises UserError for values out of range.
    """

    optim: OptimSettings = OptimSettings()
    num_steps: Count = 1000
    """Steps of training."""
    batch_size: Count = 32
    """Packed rows in a step."""
    grad_accum: Count = 1
    """Microbatches that a step's rows are split into: less memory, the same step."""
    dropout: ShareBelowOne = 0.0
    """Replaces the model's."""
    dtype: Literal["", "float32", "bfloat16"] = ""
    """The type to compute in, "" the model's; parameters, their gradients' sums and the optimiser keep their own."""
    remat: Literal["", "none", "full", "dots", "dots_no_batch"] = ""
    """What the backward pass computes again instead of keeping it, "" the model's: full, each layer; dots, all of it
    but products of matrices, attention's scores among them; dots_no_batch, attention's products too."""
    attention: Literal["", "auto", "plain", "splash", "flash", "cudnn"] = ""
    """What computes attention, "" the model's: auto is the best that the device has."""
    eval_every: Size = 0
    """Steps between validation losses, of which there is one after the last step too; 0: after the last one only."""
    patience: Size = 0
    """Training ends after so many evaluations without a better one; 0: never early."""
    checkpoint_every: Annotated[Size, FREE] = 0
    """Steps between checkpoints; 0 keeps none, which suits fits shorter than a minute."""
    log_every: Count = 10
    """Steps between lines of metrics."""

    def __post_init__(self) -> None:
        check(self)
        for name in REPLACED:
            allowed = get_args(hints_of(FitSettings)[name])
            if getattr(self, name) not in allowed:
                raise BadValue(name, getattr(self, name), f'"" or one of {", ".join(allowed[1:])}')
        if self.batch_size % self.grad_accum:
            expected = f"a positive multiple of {self.grad_accum}, its grad_accum={self.grad_accum} microbatches"
            raise BadValue("batch_size", self.batch_size, expected)

    def computing(self, config: ModelConfig) -> ModelConfig:
        """Return a model's config with what this fit replaces of it."""
        changes = {name: getattr(self, name) for name in REPLACED if getattr(self, name)}
        return dataclasses.replace(config, dropout=self.dropout, **changes)


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """Set how a model is trained on files. Raises UserError for a share that is none."""

    fit: FitSettings = FitSettings()
    seq_len: Count = 512
    """The length of the rows that examples are packed into; longer ones are left out and counted."""
    head: HeadKind = "verdict"
    """How a reward model reads a solution; one that has a head of this kind goes on from it."""
    validation: ShareBelowOne = 0.1
    """The share of the problems, drawn by the seed, whose examples are held out: they choose the best parameters, and
    `fit.patience` stops by them."""

    def __post_init__(self) -> None:
        check(self)


def stated(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return a dataclass's fields without those that replace nothing: `asdict`'s `dict_factory` for what is recorded.

    So what was recorded before there were such fields compares as equal.
    """
    return {name: value for name, value in pairs if value != "" or name not in REPLACED}
