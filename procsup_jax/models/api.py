"""The model as pure functions of (config, params, arrays): the only door to this package.

Params are a nested dict of arrays: `embedding` (and `unembedding` unless tied), `layers` stacked on axis 0,
`final_norm` and, for a reward model that reads products, `reading`.
The functions are not jitted: callers trace them inside their own programs.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from procsup_jax.models import cache, reading
from procsup_jax.models.cache import KV, commit, init_kv, put_rows, take_positions, take_rows
from procsup_jax.models.chunks import MAX_LOGITS, map_chunks
from procsup_jax.models.config import PRESETS, ModelConfig, RMReading, RopeScaling, preset
from procsup_jax.models.cost import forward_flops_per_token, num_params
from procsup_jax.models.layers import RMSNorm, Rotary, logits, rotary
from procsup_jax.models.transformer import Block, Transformer, embed, read_trees
from procsup_jax.models.trees import Trees, TreeShape, plant, take
from procsup_jax.parallel.rules import tree_sharding

__all__ = [
    "KV", "MAX_LOGITS", "PRESETS", "DecoderParams", "ModelConfig", "Params", "RMReading", "RopeScaling",
    "TreeShape", "Trees", "abstract_params", "commit", "decoder_params", "extend", "forward_flops_per_token",
    "hidden", "init_kv", "init_params", "map_chunks", "num_params", "param_axes", "plant", "prefill", "preset",
    "put_rows", "rm_extend", "rm_logits", "rm_tree_logits", "take", "take_positions", "take_rows", "tree_hidden",
    "unembed", "with_reading", "with_shift_width",
]  # fmt: skip

Params = Mapping[str, Any]


class DecoderParams(NamedTuple):
    """Hold parameters for the cached path: one entry a layer, and everything else under its name in Params.

    `rope` holds the rotary angles of every position: computed in the loop, XLA:CPU would compute them again for every
    head of every layer, a tenth of a small model's step.
    """

    layers: tuple[Params, ...]
    rest: Params
    rope: Rotary


def init_params(config: ModelConfig, key: jax.Array, mesh: jax.sharding.Mesh | None = None) -> Params:
    """Draw initial parameters; with a mesh each device makes only its own shards."""
    shardings = None if mesh is None else tree_sharding(mesh, param_axes(config), abstract_params(config))
    return jax.jit(functools.partial(_init, config), out_shardings=shardings)(key)


def abstract_params(config: ModelConfig) -> Params:
    """Return the parameters' shapes and types, computing nothing."""
    return jax.eval_shape(functools.partial(_init, config), jax.random.key(0))


def param_axes(config: ModelConfig) -> Params:
    """Return the logical axis names of each parameter as a tuple (see parallel.rules)."""
    boxed = jax.eval_shape(functools.partial(_init_boxed, config), jax.random.key(0))
    return jax.tree.map(
        lambda box: tuple(box.names), boxed, is_leaf=lambda node: isinstance(node, nn.LogicallyPartitioned)
    )


def hidden(
    config: ModelConfig,
    params: Params,
    tokens_bl: jax.Array,
    positions_bl: jax.Array,
    segments_bl: jax.Array,
    *,
    dropout_key: jax.Array | None = None,
) -> jax.Array:
    """Return the hidden states after the final norm, [b, l, d] in the compute type.

    `segments_bl` is 0 on padding and a different positive number for each document packed in a row; documents never
    see each other. `positions_bl` restart in each. Dropout is on when its key is given.
    """
    model: Any = Transformer(config, deterministic=dropout_key is None or config.dropout == 0.0)
    rngs = None if dropout_key is None else {"dropout": dropout_key}
    return model.apply({"params": params}, tokens_bl, positions_bl, segments_bl, rngs=rngs)


def unembed(config: ModelConfig, params: Params | DecoderParams, hidden: jax.Array) -> jax.Array:
    """Return logits [..., v] in float32 for hidden states [..., d]."""
    return logits(hidden, _unembedding(config, params))


def rm_logits(
    config: ModelConfig,
    params: Params,
    tokens_bl: jax.Array,
    positions_bl: jax.Array,
    segments_bl: jax.Array,
    solution_bl: jax.Array,
    vocab_ids: tuple[int, int],
    *,
    dropout_key: jax.Array | None = None,
) -> jax.Array:
    """Return the logit of the reward model's probability that the steps so far are correct, float32 [b, l].

    It is meant at the end token of a step. `solution_bl` is 1 on the solutions' tokens, 0 on prompts and padding;
    `vocab_ids` are those of `correct` and `incorrect`; the others are as for `hidden`. With the reading "verdict" it is
    logit(correct) - logit(incorrect) (Uesato et al. 2022); with "product" see `models.reading`.
    """
    states_bld = hidden(config, params, tokens_bl, positions_bl, segments_bl, dropout_key=dropout_key)
    if config.rm_reading == "verdict":
        return _verdict(config, params, states_bld, vocab_ids)
    table_vd = _unembedding(config, params)
    return reading.read(config, params["reading"], table_vd, states_bld, tokens_bl, positions_bl, solution_bl)


def tree_hidden(config: ModelConfig, params: Params, tokens_bl: jax.Array, grown: Trees) -> jax.Array:
    """Return the hidden states [b, l, d] of prompts and of several solutions each, every token read once.

    A token's is that of `hidden` in a row of its prompt and its own solution. `trees.plant` makes tokens and trees.
    """
    return read_trees(config, params, tokens_bl, grown)


def rm_tree_logits(
    config: ModelConfig, params: Params, tokens_bl: jax.Array, grown: Trees, vocab_ids: tuple[int, int]
) -> jax.Array:
    """Return what `rm_logits` says at the tokens of each solution, float32 [b, r, t], every token read once."""
    states_bld = tree_hidden(config, params, tokens_bl, grown)
    if config.rm_reading == "verdict":
        return take(_verdict(config, params, states_bld, vocab_ids), grown.branch_brt)
    table_vd = _unembedding(config, params)
    return reading.read_trees(config, params["reading"], table_vd, states_bld, tokens_bl, grown)


def with_reading(config: ModelConfig, params: Params, rm_reading: RMReading) -> tuple[ModelConfig, Params]:
    """Return a model that reads its trunk in this way, ready to be trained; one that does already stays as it is."""
    if config.rm_reading == rm_reading:
        return config, params
    config = dataclasses.replace(config, rm_reading=rm_reading)
    others = {name: value for name, value in params.items() if name != "reading"}
    if rm_reading == "verdict":
        return config, others
    return config, {**others, "reading": jnp.zeros(reading.num_weights(config), jnp.dtype(config.param_dtype))}


def with_shift_width(config: ModelConfig, params: Params, width: int) -> tuple[ModelConfig, Params]:
    """Return the same function with a token shift over `width` positions; the further ones are mixed in by zero.

    Only an existing shift gets wider: raises ValueError when there is none or `width` is less than it has.
    """
    if not 0 < config.shift_width <= width:
        raise ValueError(f"width={width}: expected at least the model's shift_width={config.shift_width}, not 0")
    wider = dataclasses.replace(config, shift_width=width)
    return wider, jax.tree.map(_grown, params, abstract_params(wider))


def decoder_params(config: ModelConfig, params: Params) -> DecoderParams:
    """Unstack the layers and cast to the compute type, once, outside of any decoding loop."""
    cast = jax.tree.map(lambda a: a.astype(jnp.dtype(config.dtype)), dict(params))
    layers = cast.pop("layers")
    rope = rotary(config, jnp.arange(config.max_len))
    return DecoderParams(tuple(_layer(layers, i) for i in range(config.num_layers)), cast, rope)


def prefill(
    config: ModelConfig,
    dparams: DecoderParams,
    tokens_np: jax.Array,
    lens_n: jax.Array,
    *,
    capacity: int | None = None,
) -> tuple[jax.Array, KV]:
    """Read the first `lens_n` tokens of each row; return hidden states [n, p, d] and the filled cache.

    The cache's capacity is p unless a larger one is asked for, as prefixes that grow by `commit` need.
    """
    p = tokens_np.shape[1]
    positions = jnp.arange(p)[None]
    segments = (positions < lens_n[:, None]).astype(jnp.int32)
    rope = _angles(dparams, positions)
    x = embed(config, dparams.rest["embedding"], tokens_np)
    layers: list[cache.LayerKV] = []
    block: Any = Block(config)
    for layer in dparams.layers:
        x, new = block.apply({"params": layer}, x, rope, segments, method="prefill")
        kept = jax.tree.map(lambda a: cache.to_kept(a, cache.kept_dtype(config)), new)
        layers.append(cache.with_capacity(kept, max(p, capacity or p)))
    states = _final_norm(config, dparams, x)
    if config.rm_reading == "product":
        layers.append(cache.with_capacity(reading.start_cache(states), max(p, capacity or p)))
    return states, KV(tuple(layers))


def extend(
    config: ModelConfig,
    dparams: DecoderParams,
    tokens_ngt: jax.Array,
    prefix: KV,
    prefix_len_n: jax.Array,
    suffix: KV,
    suffix_len_ng: jax.Array,
) -> tuple[jax.Array, KV]:
    """Feed t new tokens to each of n lanes x g slots; return hidden states [n, g, t, d] and the suffix cache.

    Slot (n, g) attends to prefix[:prefix_len], to its own suffix[:suffix_len] and causally to the new tokens, whose
    keys and values are written from suffix_len on (past the capacity: dropped, and such tokens' states mean nothing).
    The caller advances the lengths, so trailing padding in t is harmless. A prefix of capacity 0 is allowed. Sequences
    are at most the config's max_len long.
    """
    n, g, t = tokens_ngt.shape
    slots = cache.Slots(prefix_len_n, suffix_len_ng)
    positions = (prefix_len_n[:, None] + suffix_len_ng).reshape(n * g, 1) + jnp.arange(t)
    rope = _angles(dparams, positions)
    x = embed(config, dparams.rest["embedding"], tokens_ngt.reshape(n * g, t))
    layers: list[cache.LayerKV] = []
    block: Any = Block(config)
    for layer, before, own in zip(dparams.layers, prefix.layers, suffix.layers, strict=False):
        x, own = block.apply({"params": layer}, x, rope, slots, before, own, method="extend")
        layers.append(own)
    layers += suffix.layers[len(layers) :]
    return _final_norm(config, dparams, x).reshape(n, g, t, -1), KV(tuple(layers))


def rm_extend(
    config: ModelConfig,
    dparams: DecoderParams,
    tokens_ngt: jax.Array,
    prefix: KV,
    prefix_len_n: jax.Array,
    suffix: KV,
    suffix_len_ng: jax.Array,
    vocab_ids: tuple[int, int],
) -> tuple[jax.Array, KV]:
    """Feed t new tokens of solutions as `extend` does; return what `rm_logits` says at each, and the suffix cache."""
    n, g, t = tokens_ngt.shape
    states, suffix = extend(config, dparams, tokens_ngt, prefix, prefix_len_n, suffix, suffix_len_ng)
    if config.rm_reading == "verdict":
        return _verdict(config, dparams, states, vocab_ids), suffix
    slots = cache.Slots(prefix_len_n, suffix_len_ng)
    found, own = reading.extend(
        config, dparams.rest["reading"], _unembedding(config, dparams), states.reshape(n * g, t, -1),
        tokens_ngt.reshape(n * g, t), slots, prefix.layers[-1], suffix.layers[-1],
    )  # fmt: skip
    return found.reshape(n, g, t), KV((*suffix.layers[:-1], own))


def _init_boxed(config: ModelConfig, key: jax.Array) -> Any:
    ids = jnp.zeros((1, 1), jnp.int32)
    return Transformer(config).init(key, ids, ids, ids)["params"]


def _init(config: ModelConfig, key: jax.Array) -> Any:
    return nn.meta.unbox(_init_boxed(config, key))


def _grown(array: jax.Array, wanted: jax.ShapeDtypeStruct) -> jax.Array:
    return jnp.pad(array, [(0, size - old) for old, size in zip(array.shape, wanted.shape, strict=True)])


def _layer(layers: Params, index: int) -> Params:
    return jax.tree.map(lambda a: a[index], layers)


def _angles(dparams: DecoderParams, positions: jax.Array) -> Rotary:
    return Rotary(*(table[positions] for table in dparams.rope))


def _final_norm(config: ModelConfig, dparams: DecoderParams, x: jax.Array) -> jax.Array:
    norm: Any = RMSNorm(config)
    return norm.apply({"params": dparams.rest["final_norm"]}, x)


def _unembedding(config: ModelConfig, params: Params | DecoderParams) -> jax.Array:
    rest = params.rest if isinstance(params, DecoderParams) else params
    return rest["embedding" if config.tied_embeddings else "unembedding"]


def _verdict(
    config: ModelConfig, params: Params | DecoderParams, hidden: jax.Array, vocab_ids: tuple[int, int]
) -> jax.Array:
    """Return logit(correct) - logit(incorrect), [...]; only two rows of the unembedding are read."""
    both = logits(hidden, _unembedding(config, params)[jnp.array(vocab_ids)])
    return both[..., 0] - both[..., 1]
