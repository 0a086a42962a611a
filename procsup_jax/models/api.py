"""The model as pure functions of (config, params, arrays): the only door to this package.

Params are a nested dict of arrays: `embedding` (and `unembedding` unless tied), `layers` stacked on axis 0,
`final_norm` and, where a reward model's head has parameters of its own, `head`. How a reward model is read is in its
head, an object that stands beside the config (see `heads`).
DecoderParams are the same with the layers one by one, for the cached path: of everything here, `extend` and `prefill`
take only those, training and changes to parameters only Params, and what reads whole texts takes both.
The functions are not jitted, `init_params` and `unstack` apart: callers trace them inside their own programs.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from procsup_jax.models import cache
from procsup_jax.models.cache import KV, commit, kv_axes, put_rows, state_axes, take_positions, take_rows
from procsup_jax.models.chunks import MAX_LOGITS, map_chunks
from procsup_jax.models.config import PRESETS, ModelConfig, RopeScaling, preset
from procsup_jax.models.cost import forward_flops_per_token, num_params
from procsup_jax.models.cross_entropy import cross_entropy as cross_entropy_of
from procsup_jax.models.heads import (
    ClassifierHead,
    Head,
    HeadKind,
    ProductHead,
    VerdictHead,
    head_from_json,
    head_to_json,
    make_head,
)
from procsup_jax.models.layers import Params, RMSNorm, Rotary, logits, unembedding
from procsup_jax.models.params import (
    DecoderParams,
    Network,
    abstract_params,
    decoder_axes,
    init_params,
    param_axes,
    unstack,
    with_head,
    with_shift_width,
)
from procsup_jax.models.transformer import Block, Transformer, embed, read_rows, read_trees
from procsup_jax.models.trees import Trees, TreeShape, plant, take
from procsup_jax.parallel import split

__all__ = [
    "ClassifierHead", "DecoderParams", "Head", "HeadKind", "KV", "MAX_LOGITS", "ModelConfig", "Network", "PRESETS",
    "Params", "ProductHead", "RopeScaling", "TreeShape", "Trees", "VerdictHead", "abstract_params", "commit",
    "cross_entropy", "decoder_axes", "extend", "forward_flops_per_token", "head_from_json", "head_to_json",
    "hidden", "init_kv", "init_params", "kv_axes", "make_head", "map_chunks", "num_params", "param_axes", "plant",
    "prefill", "preset", "put_rows", "rm_extend", "rm_logits", "rm_tree_logits", "take", "take_positions",
    "take_rows", "tree_hidden", "unembed", "unstack", "with_head", "with_shift_width", "state_axes",
]  # fmt: skip


def hidden(
    config: ModelConfig,
    params: Params | DecoderParams,
    tokens_bl: jax.Array,
    positions_bl: jax.Array,
    segments_bl: jax.Array,
    *,
    dropout_key: jax.Array | None = None,
) -> jax.Array:
    """Return the hidden states after the final norm, [b, l, d] in the compute type.

    `segments_bl` is 0 on padding and a different positive number for each document packed in a row; documents never
    see each other. `positions_bl` restart in each. Dropout is on when its key is given, with stacked layers only.
    """
    if isinstance(params, DecoderParams):
        return read_rows(config, params.rest, params.layers, tokens_bl, positions_bl, segments_bl)
    model: Any = Transformer(config, deterministic=dropout_key is None or config.dropout == 0.0)
    rngs = None if dropout_key is None else {"dropout": dropout_key}
    return model.apply({"params": params}, tokens_bl, positions_bl, segments_bl, rngs=rngs)


def unembed(config: ModelConfig, params: Params | DecoderParams, hidden: jax.Array) -> jax.Array:
    """Return logits [..., v] in float32 for hidden states [..., d]."""
    return logits(hidden, unembedding(config, _rest(params)))


def cross_entropy(
    config: ModelConfig, params: Params, hidden_bld: jax.Array, targets_bl: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return each target token's nats, float32 [b, l], and whether it is the most probable one, bool [b, l].

    That of `unembed`'s logits, which are never made whole, neither here nor in the backward pass.
    """
    return cross_entropy_of(hidden_bld, unembedding(config, params), targets_bl)


def rm_logits(
    config: ModelConfig,
    head: Head,
    params: Params | DecoderParams,
    tokens_bl: jax.Array,
    positions_bl: jax.Array,
    segments_bl: jax.Array,
    solution_bl: jax.Array,
    *,
    dropout_key: jax.Array | None = None,
) -> jax.Array:
    """Return the logit of the reward model's probability that the steps so far are correct, float32 [b, l].

    It is meant at the end token of a step. `solution_bl` is 1 on the solutions' tokens, 0 on prompts and padding; the
    others are as for `hidden`.
    """
    states_bld = hidden(config, params, tokens_bl, positions_bl, segments_bl, dropout_key=dropout_key)
    return head.read(config, _rest(params), states_bld, tokens_bl, positions_bl, solution_bl)


def tree_hidden(config: ModelConfig, params: Params | DecoderParams, tokens_bl: jax.Array, grown: Trees) -> jax.Array:
    """Return the hidden states [b, l, d] of prompts and of several solutions each, every token read once.

    A token's is that of `hidden` in a row of its prompt and its own solution. `trees.plant` makes tokens and trees.
    """
    layers = params.layers if isinstance(params, DecoderParams) else params["layers"]
    return read_trees(config, _rest(params), layers, tokens_bl, grown)


def rm_tree_logits(
    config: ModelConfig, head: Head, params: Params | DecoderParams, tokens_bl: jax.Array, grown: Trees
) -> jax.Array:
    """Return what `rm_logits` says at the tokens of each solution, float32 [b, r, t], every token read once."""
    states_bld = tree_hidden(config, params, tokens_bl, grown)
    return head.read_trees(config, _rest(params), states_bld, tokens_bl, grown)


def init_kv(config: ModelConfig, rows: int, capacity: int, head: Head | None = None) -> KV:
    """Make an empty cache for `rows` sequences of up to `capacity` tokens, and for what a head keeps of them."""
    return cache.init_kv(config, rows, capacity, 0 if head is None else head.cache_width(config))


def prefill(
    config: ModelConfig,
    dparams: DecoderParams,
    tokens_np: jax.Array,
    lens_n: jax.Array,
    *,
    capacity: int | None = None,
    head: Head | None = None,
) -> tuple[jax.Array, KV]:
    """Read the first `lens_n` tokens of each row; return hidden states [n, p, d] and the filled cache.

    The cache's capacity is p unless a larger one is asked for, as prefixes that grow by `commit` need. It holds what
    `head` keeps, which `rm_extend` goes on from.
    """
    p = tokens_np.shape[1]

    def read(dparams: DecoderParams, rows: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, KV]:
        return _read_rows(config, dparams, *rows, max(p, capacity or p), head)

    states_npd, kv = split.over_rows(read, dparams, (tokens_np, lens_n))
    return states_npd, kv


def _read_rows(
    config: ModelConfig,
    dparams: DecoderParams,
    tokens_np: jax.Array,
    lens_n: jax.Array,
    capacity: int,
    head: Head | None,
) -> tuple[jax.Array, KV]:
    positions = jnp.arange(tokens_np.shape[1])[None]
    segments = (positions < lens_n[:, None]).astype(jnp.int32)
    rope = _angles(dparams, positions)
    x = embed(config, dparams.rest["embedding"], tokens_np)
    layers: list[cache.LayerKV] = []
    block: Any = Block(config)
    for layer in dparams.layers:
        x, new = block.apply({"params": layer}, x, rope, segments, method="prefill")
        kept = jax.tree.map(lambda a: cache.to_kept(a, cache.kept_dtype(config)), new)
        layers.append(cache.with_capacity(kept, capacity))
    states = _final_norm(config, dparams, x)
    own = (head.start_cache(states),) if head is not None and head.cache_width(config) else ()
    return states, KV(tuple(layers), cache.with_capacity(cache.LayerKV((), (), own), capacity))


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
    for layer, before, own in zip(dparams.layers, prefix.layers, suffix.layers, strict=True):
        x, own = block.apply({"params": layer}, x, rope, slots, before, own, method="extend")
        layers.append(own)
    return _final_norm(config, dparams, x).reshape(n, g, t, -1), suffix._replace(layers=tuple(layers))


def rm_extend(
    config: ModelConfig,
    head: Head,
    dparams: DecoderParams,
    tokens_ngt: jax.Array,
    prefix: KV,
    prefix_len_n: jax.Array,
    suffix: KV,
    suffix_len_ng: jax.Array,
) -> tuple[jax.Array, KV]:
    """Feed t new tokens of solutions as `extend` does; return what `rm_logits` says at each, and the suffix cache.

    Both caches were made with this head.
    """
    n, g, t = tokens_ngt.shape
    states, suffix = extend(config, dparams, tokens_ngt, prefix, prefix_len_n, suffix, suffix_len_ng)
    slots, keeps = cache.Slots(prefix_len_n, suffix_len_ng), head.cache_width(config) > 0
    empty = jnp.zeros((n * g, 1, 0), jnp.float32)
    last_r1x = cache.history(prefix.head, suffix.head, slots, 1) if keeps else empty
    rows = states.reshape(n * g, t, -1), tokens_ngt.reshape(n * g, t)
    found, new = head.extend(config, _rest(dparams), *rows, last_r1x)
    if keeps:
        own = cache.write(suffix.head, cache.LayerKV((), (), (new,)), suffix_len_ng.reshape(-1))
        suffix = suffix._replace(head=own)
    return found.reshape(n, g, t), suffix


def _angles(dparams: DecoderParams, positions: jax.Array) -> Rotary:
    return Rotary(*(table[positions] for table in dparams.rope))


def _final_norm(config: ModelConfig, dparams: DecoderParams, x: jax.Array) -> jax.Array:
    norm: Any = RMSNorm(config)
    return norm.apply({"params": dparams.rest["final_norm"]}, x)


def _rest(params: Params | DecoderParams) -> Params:
    return params.rest if isinstance(params, DecoderParams) else params
