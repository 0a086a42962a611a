"""AdamW or Muon with clipping, warm-up and a schedule."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import optax
from optax import contrib

from procsup_jax.models import api
from procsup_jax.training.settings import OptimSettings

# The RMS of an update of AdamW, which Muon's are scaled to, so that both take the same learning rates (Liu et al. 2025,
# "Muon is scalable for LLM training", arXiv:2502.16982, section 2.2).
_ADAMW_UPDATE_RMS = 0.2


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
