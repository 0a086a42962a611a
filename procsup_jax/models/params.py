"""A model's parameters: drawn, described, changed, and laid out for the cached path."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from procsup_jax.models.config import ModelConfig
from procsup_jax.models.heads import Head
from procsup_jax.models.layers import Params, Rotary, rotary
from procsup_jax.models.transformer import Transformer
from procsup_jax.parallel.rules import LogicalAxes, constrain, is_axes, tree_sharding


class Network(NamedTuple):
    """Hold what computes of a model: a policy without a head, a reward model with one; `mesh` spreads the params."""

    config: ModelConfig
    params: Any
    head: Head | None = None
    mesh: jax.sharding.Mesh | None = None


class DecoderParams(NamedTuple):
    """Hold parameters for the cached path: one entry a layer, and everything else under its name in Params.

    `rope` holds the rotary angles of every position: computed in the loop, XLA:CPU would compute them again for every
    head of every layer, a tenth of a small model's step.
    """

    layers: tuple[Params, ...]
    rest: Params
    rope: Rotary


def init_params(
    config: ModelConfig, key: jax.Array, mesh: jax.sharding.Mesh | None = None, head: Head | None = None
) -> Params:
    """Draw initial parameters, a head's among them; with a mesh each device makes only its own shards."""
    shardings = None if mesh is None else tree_sharding(mesh, param_axes(config, head), abstract_params(config, head))
    return jax.jit(functools.partial(_init, config, head), out_shardings=shardings)(key)


def abstract_params(config: ModelConfig, head: Head | None = None) -> Params:
    """Return the parameters' shapes and types, computing nothing."""
    return jax.eval_shape(functools.partial(_init, config, head), jax.random.key(0))


def param_axes(config: ModelConfig, head: Head | None = None) -> Params:
    """Return the logical axis names of each parameter as a tuple (see parallel.rules)."""
    boxed = jax.eval_shape(functools.partial(_init_boxed, config), jax.random.key(0))
    axes = jax.tree.map(
        lambda box: tuple(box.names), boxed, is_leaf=lambda node: isinstance(node, nn.LogicallyPartitioned)
    )
    return axes if head is None else _joined(axes, head.param_axes(config))


def with_head(config: ModelConfig, params: Params, head: Head | None, key: jax.Array | None = None) -> Params:
    """Return the parameters of the same trunk under this head, ready to be trained.

    A head's parameters that are there and have its shapes stay, others make way for fresh ones, drawn from `key` (by
    default always the same).
    """
    init = functools.partial(_init_head, config, head)
    key = jax.random.key(0) if key is None else key
    wanted = jax.eval_shape(init, key)
    if _shapes(params.get("head", {})) == _shapes(wanted):
        return params
    trunk = {name: value for name, value in params.items() if name != "head"}
    return _joined(trunk, jax.jit(init)(key))


def with_shift_width(config: ModelConfig, params: Params, width: int) -> tuple[ModelConfig, Params]:
    """Return the same function with a token shift over `width` positions; the further ones are mixed in by zero.

    Only an existing shift gets wider: raises ValueError when there is none or `width` is less than it has.
    """
    if not 0 < config.shift_width <= width:
        raise ValueError(f"width={width}: expected at least the model's shift_width={config.shift_width}, not 0")
    wider = dataclasses.replace(config, shift_width=width)
    trunk = abstract_params(wider)
    return wider, {**params, **jax.tree.map(_grown, {name: params[name] for name in trunk}, trunk)}


def unstack(config: ModelConfig, params: Params | DecoderParams, *, donate: bool = True) -> DecoderParams:
    """Lay parameters out for the cached path, in the compute type; those that are so already stay as they are.

    It goes array by array, and with `donate` each is freed as soon as its layers are taken: at the most memory holds
    one copy of the parameters and the largest array's, and `params` can be used no more. Without, it may be traced.
    """
    if isinstance(params, DecoderParams):
        return params
    dtype = jnp.dtype(config.dtype)

    def taken(stacked: jax.Array, axes: LogicalAxes) -> tuple[jax.Array, ...]:
        parts = jax.block_until_ready(_split(dtype, axes, stacked))
        _free(stacked, donate)
        return parts

    def cast(array: jax.Array, axes: LogicalAxes) -> jax.Array:
        if array.dtype == dtype and jax.sharding.get_abstract_mesh().empty:
            return jnp.asarray(array)
        found = jax.block_until_ready(_cast(dtype, axes, array))
        _free(array, donate)
        return found

    axes = reading_axes(config)
    arrays, tree = jax.tree.flatten(params["layers"])
    layer_axes = jax.tree.leaves(axes["layers"], is_leaf=is_axes)
    layers = zip(*map(taken, arrays, layer_axes), strict=True)
    rest = {}
    for name, value in params.items():
        if name in axes and name != "layers":
            rest[name] = jax.tree.map(cast, value, axes[name])
        elif name != "layers":  # a head's
            rest[name] = jax.tree.map(lambda array: cast(array, (None,) * array.ndim), value)
    return DecoderParams(tuple(jax.tree.unflatten(tree, layer) for layer in layers), rest, _rope(config))


def decoder_axes(config: ModelConfig, dparams: DecoderParams) -> DecoderParams:
    """Return the logical axes of each array of parameters laid out for the cached path."""
    axes = reading_axes(config)
    whole = jax.tree.map(lambda array: (None,) * array.ndim, dparams)
    rest = {**whole.rest, **{name: value for name, value in axes.items() if name != "layers"}}
    return DecoderParams((axes["layers"],) * len(dparams.layers), rest, whole.rope)


def reading_axes(config: ModelConfig) -> Params:
    """Return the logical axes of a trunk's parameters while they are decoded with, a layer's by itself."""

    def reading(axes: LogicalAxes) -> LogicalAxes:
        return tuple("read_embed" if axis == "embed" else axis for axis in axes if axis != "layers")

    return jax.tree.map(reading, param_axes(config), is_leaf=is_axes)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _split(dtype: jnp.dtype, axes: LogicalAxes, stacked: jax.Array) -> tuple[jax.Array, ...]:
    return tuple(constrain(stacked[i].astype(dtype), axes) for i in range(stacked.shape[0]))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _cast(dtype: jnp.dtype, axes: LogicalAxes, array: jax.Array) -> jax.Array:
    return constrain(array.astype(dtype), axes)


def _free(array: jax.Array, donate: bool) -> None:
    if donate and isinstance(array, jax.Array):
        array.delete()


@functools.partial(jax.jit, static_argnums=0)
def _rope(config: ModelConfig) -> Rotary:
    return rotary(config, jnp.arange(config.max_len))


def _init_boxed(config: ModelConfig, key: jax.Array) -> Any:
    ids = jnp.zeros((1, 1), jnp.int32)
    # Parameters are described and drawn on machines that cannot run the model's own kernel.
    return Transformer(dataclasses.replace(config, attention="plain")).init(key, ids, ids, ids)["params"]


def _init(config: ModelConfig, head: Head | None, key: jax.Array) -> Any:
    trunk = nn.meta.unbox(_init_boxed(config, key))
    return _joined(trunk, _init_head(config, head, jax.random.fold_in(key, 1)))


def _init_head(config: ModelConfig, head: Head | None, key: jax.Array) -> Any:
    return {} if head is None else head.init_params(config, key)


def _joined(trunk: Params, own: Any) -> Params:
    """Return a trunk's tree with a head's, if that has anything."""
    return trunk if isinstance(own, dict) and not own else {**trunk, "head": own}


def _shapes(tree: Any) -> Any:
    return jax.tree.map(lambda array: array.shape, tree)


def _grown(array: jax.Array, wanted: jax.ShapeDtypeStruct) -> jax.Array:
    return jnp.pad(array, [(0, size - old) for old, size in zip(array.shape, wanted.shape, strict=True)])
