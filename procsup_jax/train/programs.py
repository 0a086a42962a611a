"""The compiled programs of a fit, shared by every fit that has the same settings."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import optax
from jax.sharding import Mesh

from procsup_jax.models import api
from procsup_jax.train import optim
from procsup_jax.train.losses import LossName, make_loss
from procsup_jax.train.state import TrainState, abstract_state, make_init
from procsup_jax.train.step import Evaluate, TrainStep, make_eval, make_train_step


class Programs(NamedTuple):
    """Hold what a fit runs, the state's shapes and shardings, and the learning rate by steps done."""

    abstract: TrainState
    init: Callable[[api.Params], TrainState]
    step: TrainStep
    evaluate: Evaluate
    learning_rate: optax.Schedule


@functools.lru_cache(maxsize=16)
def programs(
    config: api.ModelConfig,
    loss: LossName,
    vocab_ids: tuple[int, int] | None,
    settings: optim.OptimSettings,
    num_steps: int,
    mesh: Mesh | None,
) -> Programs:
    """Return the programs; rounds and seeds of an experiment differ in data and keys only and compile nothing anew."""
    optimiser = optim.make_optimiser(settings, num_steps, config)
    loss_fn = make_loss(config, loss, vocab_ids)
    abstract = abstract_state(config, optimiser, mesh)
    return Programs(
        abstract,
        make_init(optimiser, abstract),
        make_train_step(loss_fn, optimiser, abstract, mesh),
        make_eval(loss_fn, mesh),
        optim.learning_rate(settings, num_steps),
    )
