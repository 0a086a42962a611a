"""What a training step carries on, and how it is sharded."""

from __future__ import annotations

import functools
from collections.abc import Callable
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


@jax.jit
def copy_tree(tree: Any) -> Any:
    """Return a copy in buffers of its own, so that donating one leaves the other alive."""
    return jax.tree.map(jnp.copy, tree)


def abstract_state(
    config: api.ModelConfig,
    optimiser: optax.GradientTransformation,
    mesh: Mesh | None = None,
    head: api.Head | None = None,
) -> TrainState:
    """Return the state's shapes, types and, with a mesh, shardings: moments lie like their parameters."""
    params = api.abstract_params(config, head)
    shapes = jax.eval_shape(functools.partial(_start, optimiser, params), params)
    if mesh is None:
        return shapes
    whole = rules.sharding(mesh, ())
    like_params = rules.tree_sharding(mesh, api.param_axes(config, head), params)

    def place(shape: jax.ShapeDtypeStruct, sharding: NamedSharding) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape.shape, shape.dtype, sharding=sharding)

    return TrainState(
        place(shapes.step, whole),
        jax.tree.map(place, shapes.params, like_params),
        jax.tree.map(place, shapes.opt_state, _like_params(shapes.opt_state, params, like_params, whole)),
    )


def _like_params(opt_state: Any, params: api.Params, shardings: Any, otherwise: NamedSharding) -> Any:
    """Return shardings for an optimiser's state: those of a parameter for what has its path's end and its shape."""
    flat = jax.tree_util.tree_leaves_with_path(params)
    of_param = {path: (leaf.shape, place) for (path, leaf), place in zip(flat, jax.tree.leaves(shardings), strict=True)}

    def find(path: tuple[Any, ...], leaf: jax.ShapeDtypeStruct) -> NamedSharding:
        for start in range(len(path)):
            shape, place = of_param.get(path[start:], (None, otherwise))
            if shape == leaf.shape:
                return place
        return otherwise

    return jax.tree_util.tree_map_with_path(find, opt_state)


def make_init(optimiser: optax.GradientTransformation, abstract: TrainState) -> Callable[[api.Params], TrainState]:
    """Compile the making of a state from a copy of the parameters, straight into the shards that `abstract` names."""
    shardings = jax.tree.map(lambda shape: shape.sharding, abstract)
    return jax.jit(functools.partial(_start, optimiser, abstract.params), out_shardings=shardings)


def _start(optimiser: optax.GradientTransformation, like: api.Params, params: api.Params) -> TrainState:
    """Return the state before the first step; the moments are float32 whatever the parameters are."""
    kept = jax.tree.map(lambda array, shape: jnp.array(array, shape.dtype, copy=True), params, like)
    wide = jax.tree.map(lambda array: array.astype(jnp.float32), kept)
    return TrainState(jnp.zeros((), jnp.int32), kept, optimiser.init(wide))
