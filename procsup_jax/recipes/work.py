"""What the functions of several stages take from a run's settings: its devices, its seeds, its models."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from procsup_jax.recipes.artefacts import ModelFolder
from procsup_jax.recipes.settings import ExperimentSettings
from procsup_jax.runner.stage import Context
from procsup_jax.runner.view import whole

if TYPE_CHECKING:
    from jax.sharding import Mesh

    from procsup_jax.models.model import Model

Ctx = Context[ExperimentSettings]


def mesh(ctx: Ctx) -> Mesh | None:
    """Return the mesh, None for a single device."""
    from procsup_jax.parallel.mesh import mesh_or_none

    return mesh_or_none(whole(ctx.settings.mesh))


def seed(ctx: Ctx, name: str) -> int:
    """Return the seed of what is called so: a function of the run's seed and the name."""
    return zlib.crc32(f"{ctx.settings.seed}/{name}".encode()) >> 1


def load(ctx: Ctx, model: ModelFolder) -> Model:
    """Return a model on the run's devices."""
    return ctx.read(model).load(mesh(ctx))
