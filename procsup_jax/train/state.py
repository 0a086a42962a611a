"""What a training step carries on, and how it is sharded."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, NamedSharding

from procsup_jax.models import api
from procsup_jax.parallel import rules


class TrainState(NamedTuple):
    """Hold the number of steps done, the parameters and the optimiser's state: arrays, their shapes or shardings."""

    step: Any
    params: Any
    opt_state: Any


def copy_tree(tree: Any, shardings: Any = None) -> Any:
    """Return a copy in buffers of its own, so that donating one leaves the other alive."""
    return jax.jit(lambda arrays: jax.tree.map(jnp.copy, arrays), out_shardings=shardings)(tree)


def param_shardings(config: api.ModelConfig, mesh: Mesh | None) -> Any:
    """Return the shardings of the parameters by the rules table; None without a mesh."""
    if mesh is None:
        return None
    return rules.tree_sharding(mesh, api.param_axes(config), api.abstract_params(config))


def abstract_state(
    config: api.ModelConfig, params: api.Params, optimiser: optax.GradientTransformation, mesh: Mesh | None
) -> TrainState:
    """Return the state's shapes, types and, with a mesh, shardings: moments lie like their parameters."""
    shapes = jax.eval_shape(functools.partial(_start, optimiser), params)
    if mesh is None:
        return shapes
    whole = rules.sharding(mesh, ())
    like_params = param_shardings(config, mesh)
    like_opt_state = optax.tree_utils.tree_map_params(
        optimiser, lambda _, like: like, shapes.opt_state, like_params, transform_non_params=lambda _: whole
    )

    def place(shape: jax.ShapeDtypeStruct, sharding: NamedSharding) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape.shape, shape.dtype, sharding=sharding)

    return TrainState(
        place(shapes.step, whole),
        jax.tree.map(place, shapes.params, like_params),
        jax.tree.map(place, shapes.opt_state, like_opt_state),
    )


def init_state(abstract: TrainState, params: api.Params, optimiser: optax.GradientTransformation) -> TrainState:
    """Start from a copy of `params`, straight into the shards that `abstract` names."""
    shardings = jax.tree.map(lambda shape: shape.sharding, abstract)
    return jax.jit(functools.partial(_start, optimiser), out_shardings=shardings)(params)


def _start(optimiser: optax.GradientTransformation, params: api.Params) -> TrainState:
    """Return the state before the first step; the moments are float32 whatever the parameters are."""
    wide = jax.tree.map(lambda array: array.astype(jnp.float32), params)
    return TrainState(jnp.zeros((), jnp.int32), jax.tree.map(jnp.copy, params), optimiser.init(wide))
