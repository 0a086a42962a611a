"""AdamW or Muon with clipping, warm-up and a schedule."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import jax
import optax
from optax import contrib

from procsup_jax.models import api
from procsup_jax.ranges import Amount, BadValue, Positive, ShareBelowOne, Size, check

SCHEDULES = ("constant", "cosine", "linear")
ALGORITHMS = ("adamw", "muon")
# The RMS of an update of AdamW, which Muon's are scaled to, so that both take the same learning rates (Liu et al. 2025,
# "Muon is scalable for LLM training", arXiv:2502.16982, section 2.2).
_ADAMW_UPDATE_RMS = 0.2


@dataclasses.dataclass(frozen=True)
class OptimSettings:
    """Set the optimiser.

    `algorithm` "muon" orthogonalises the updates of the matrices (Jordan et al. 2024) and leaves embeddings and norms
    to AdamW: for training a model from nothing; both take learning rates of the same size.
    The learning rate rises linearly over the first `warmup_steps` to `peak_lr` (the first step already moves), then
    stays, or falls to reach `end_lr_ratio * peak_lr` when all steps are done. `weight_decay` is AdamW's, times the
    learning rate, on matrices only: not on embeddings, norms or biases. Gradients are clipped to a global norm of
    `clip_norm`; 0 turns that off. Raises UserError for values out of range.
    """

    algorithm: Literal["adamw", "muon"] = "adamw"
    peak_lr: Positive = 1e-3
    warmup_steps: Size = 0
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    end_lr_ratio: Amount = 0.0
    weight_decay: Amount = 0.1
    b1: ShareBelowOne = 0.9
    b2: ShareBelowOne = 0.95
    clip_norm: Amount = 1.0

    def __post_init__(self) -> None:
        for name, choices in (("algorithm", ALGORITHMS), ("schedule", SCHEDULES)):
            if getattr(self, name) not in choices:
                raise BadValue(name, getattr(self, name), f"one of {', '.join(choices)}")
        check(self)


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


def without_rates(settings: OptimSettings) -> OptimSettings:
    """Return the settings with everything at its default that shows in the learning rate alone."""
    d = OptimSettings()
    return dataclasses.replace(
        settings, peak_lr=d.peak_lr, warmup_steps=d.warmup_steps, schedule=d.schedule, end_lr_ratio=d.end_lr_ratio
    )


def matrix_dimensions(config: api.ModelConfig, head: api.Head | None = None) -> Any:
    """Return a tree over the parameters: which axes a matrix reads and writes; None for embeddings, norms and mixes.

    Layers, and queries, keys and values within a fused kernel, are matrices of their own.
    """

    def dimensions(axes: tuple[str | None, ...]) -> contrib.MuonDimensionNumbers | None:
        if "vocab" in axes or sum(axis not in ("layers", None) for axis in axes) < 2:
            return None
        if "kv_heads" in axes:
            return contrib.MuonDimensionNumbers(axes.index("embed"), (axes.index("kv_heads"), len(axes) - 1))
        return contrib.MuonDimensionNumbers(len(axes) - 2, len(axes) - 1)

    return jax.tree.map(dimensions, api.param_axes(config, head), is_leaf=lambda node: isinstance(node, tuple))


def make_optimiser(
    settings: OptimSettings, config: api.ModelConfig, head: api.Head | None = None
) -> optax.GradientTransformation:
    """Return clipping followed by the optimiser at a learning rate of 1, with weight decay on the matrices only.

    All of its updates are proportional to the learning rate, which the caller multiplies them by: one compiled program
    serves every schedule.
    """
    clip = [optax.clip_by_global_norm(settings.clip_norm)] if settings.clip_norm else []
    matrices = matrix_dimensions(config, head)
    if settings.algorithm == "muon":
        update = contrib.muon(
            1.0, weight_decay=settings.weight_decay, adam_b1=settings.b1, adam_b2=settings.b2,
            muon_weight_dimension_numbers=matrices, consistent_rms=_ADAMW_UPDATE_RMS,
        )  # fmt: skip
    else:
        decays = jax.tree.map(lambda axes: axes is not None, matrices, is_leaf=_is_matrix)
        update = optax.adamw(1.0, settings.b1, settings.b2, weight_decay=settings.weight_decay, mask=decays)
    return optax.chain(*clip, update)


def _is_matrix(node: Any) -> bool:
    return node is None or isinstance(node, contrib.MuonDimensionNumbers)
