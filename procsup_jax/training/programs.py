"""The compiled programs of a fit, shared by every fit that has the same settings."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

from jax.sharding import Mesh

from procsup_jax.models import api
from procsup_jax.training import optim
from procsup_jax.training.losses import make_loss
from procsup_jax.training.state import TrainState, abstract_state, make_init
from procsup_jax.training.step import Evaluate, TrainStep, make_eval, make_train_step


class Programs(NamedTuple):
    """Hold what a fit runs, and the state's shapes and shardings."""

    abstract: TrainState
    init: Callable[[api.Params], TrainState]
    step: TrainStep
    evaluate: Evaluate


def programs(
    config: api.ModelConfig,
    head: api.Head | None,
    settings: optim.OptimSettings,
    mesh: Mesh | None,
) -> Programs:
    """Return the programs; fits that differ in data, keys and learning rates only compile nothing anew."""
    return _programs(config, head, optim.without_rates(settings), mesh)


@functools.lru_cache(maxsize=16)
def _programs(
    config: api.ModelConfig,
    head: api.Head | None,
    settings: optim.OptimSettings,
    mesh: Mesh | None,
) -> Programs:
    optimiser = optim.make_optimiser(settings, config, head)
    loss_fn = make_loss(config, head)
    abstract = abstract_state(config, optimiser, mesh, head)
    return Programs(
        abstract,
        make_init(optimiser, abstract),
        make_train_step(loss_fn, optimiser, abstract, mesh),
        make_eval(loss_fn, mesh),
    )
