"""What the functions of several stages take from a run's settings: its devices, its seeds, its models."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from procsup_jax import processes
from procsup_jax.journal import Journal
from procsup_jax.recipes.artefacts import ModelFolder
from procsup_jax.recipes.settings import ExperimentSettings
from procsup_jax.runner.stage import Context
from procsup_jax.runner.view import whole

if TYPE_CHECKING:
    from jax.sharding import Mesh

    from procsup_jax.models.model import Model
    from procsup_jax.training.settings import FitSettings

Ctx = Context[ExperimentSettings]


def fit_mesh(ctx: Ctx, fit: FitSettings) -> Mesh | None:
    """Return the mesh that a fit runs over, of the devices of all processes; None for a single device."""
    from procsup_jax.parallel import mesh

    return mesh.fit_mesh(whole(ctx.settings.mesh), fit.batch_size // fit.grad_accum)


def seed(ctx: Ctx, name: str) -> int:
    """Return the seed of what is called so: a function of the run's seed and the name."""
    return zlib.crc32(f"{ctx.settings.seed}/{name}".encode()) >> 1


def load(ctx: Ctx, model: ModelFolder) -> Model:
    """Return a model on this process's own devices: what several do together with it, each does its share of."""
    from procsup_jax.parallel import mesh

    return ctx.read(model).load(mesh.own_mesh(whole(ctx.settings.mesh)))


@contextlib.contextmanager
def finished_parts(ctx: Ctx) -> Iterator[Journal]:
    """Give the journal that a stage goes on from when it is killed; it goes when the stage's outputs are safe."""
    with Journal(ctx.scratch / f".{ctx.stage.name}.parts", processes.index()) as journal:
        ctx.when_written(journal.remove)
        yield journal
