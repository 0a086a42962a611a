"""AdamW with clipping, warm-up and a schedule."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import jax
import optax

from procsup_jax.errors import UserError
from procsup_jax.models import api

SCHEDULES = ("constant", "cosine", "linear")


@dataclasses.dataclass(frozen=True)
class OptimSettings:
    """Set the optimiser.

    The learning rate rises linearly over the first `warmup_steps` to `peak_lr` (the first step already moves), then
    stays, or falls to reach `end_lr_ratio * peak_lr` when all steps are done. `weight_decay` is AdamW's, times the
    learning rate, on matrices only: not on embeddings, norms or biases. Gradients are clipped to a global norm of
    `clip_norm`; 0 turns that off. Raises UserError for values out of range.
    """

    peak_lr: float = 1e-3
    warmup_steps: int = 0
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    end_lr_ratio: float = 0.0
    weight_decay: float = 0.1
    b1: float = 0.9
    b2: float = 0.95
    clip_norm: float = 1.0

    def __post_init__(self) -> None:
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


def learning_rate(settings: OptimSettings, num_steps: int) -> optax.Schedule:
    """Return the schedule: from the number of steps already done to the learning rate of the next."""
    peak, end, warmup = settings.peak_lr, settings.end_lr_ratio * settings.peak_lr, settings.warmup_steps
    decay_steps = max(num_steps - warmup, 1)
    if settings.schedule == "cosine":
        main = optax.cosine_decay_schedule(peak, decay_steps, alpha=settings.end_lr_ratio)
    elif settings.schedule == "linear":
        main = optax.linear_schedule(peak, end, decay_steps)
    else:
        main = optax.constant_schedule(peak)
    if not warmup:
        return main
    return optax.join_schedules([optax.linear_schedule(peak / warmup, peak, max(warmup - 1, 1)), main], [warmup])


def decay_mask(config: api.ModelConfig) -> Any:
    """Return a tree of bools over the parameters: True where weight decay applies."""

    def is_matrix(axes: tuple[str | None, ...]) -> bool:
        return "vocab" not in axes and sum(axis != "layers" for axis in axes) >= 2

    return jax.tree.map(is_matrix, api.param_axes(config), is_leaf=lambda node: isinstance(node, tuple))


def make_optimiser(settings: OptimSettings, num_steps: int, decays: Any) -> optax.GradientTransformation:
    """Return clipping followed by AdamW; `decays` is a tree of bools over the parameters."""
    clip = [optax.clip_by_global_norm(settings.clip_norm)] if settings.clip_norm else []
    adamw = optax.adamw(
        learning_rate(settings, num_steps), settings.b1, settings.b2, weight_decay=settings.weight_decay, mask=decays
    )
    return optax.chain(*clip, adamw)
