"""The network: embeddings, a scan over blocks, the final norm."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, cast

import flax.linen as nn
import jax
import jax.numpy as jnp

from procsup_jax.models import trees
from procsup_jax.models.cache import LayerKV, Slots
from procsup_jax.models.config import ModelConfig, Remat
from procsup_jax.models.layers import MLP, Attention, Params, RMSNorm, Rotary, fan_in_normal, rotary
from procsup_jax.parallel.rules import constrain

RESIDUAL = ("batch", "length", "act_embed")
# What the backward pass finds kept of each layer, its input aside; the rest it computes again.
REMAT_POLICIES: Mapping[Remat, Callable[..., bool] | None] = {
    "full": None,
    "dots": jax.checkpoint_policies.dots_saveable,
    "dots_no_batch": jax.checkpoint_policies.dots_with_no_batch_dims_saveable,
}


class Block(nn.Module):
    """Add attention and the MLP, each of the normed input, to the residual stream."""

    config: ModelConfig
    deterministic: bool = True

    def setup(self) -> None:
        """Make the parts."""
        c = self.config
        self.attention_norm = RMSNorm(c)
        self.attention = Attention(c)
        self.mlp_norm = RMSNorm(c)
        self.mlp = MLP(c)
        self.drop = nn.Dropout(c.dropout, deterministic=self.deterministic)

    def __call__(self, x_rld: jax.Array, rope: Rotary, segments_rl: jax.Array) -> tuple[jax.Array, None]:
        """Run packed rows; the pair is what a scan over layers carries on and collects."""
        return self.prefill(x_rld, rope, segments_rl)[0], None

    def prefill(self, x_rld: jax.Array, rope: Rotary, segments_rl: jax.Array) -> tuple[jax.Array, LayerKV]:
        """Run packed rows and return the keys and values as well."""
        x_rld = constrain(x_rld, RESIDUAL)
        out, new = self.attention(self.attention_norm(x_rld), rope, segments_rl)
        return self._finish(x_rld, out), new

    def extend(
        self, x_rtd: jax.Array, rope: Rotary, slots: Slots, prefix: LayerKV, suffix: LayerKV
    ) -> tuple[jax.Array, LayerKV]:
        """Run t new tokens of each slot after what the cache holds; return the suffix with them written."""
        x_rtd = constrain(x_rtd, RESIDUAL)
        out, suffix = self.attention.extend(self.attention_norm(x_rtd), rope, slots, prefix, suffix)
        return self._finish(x_rtd, out), suffix

    def branch(self, x_bld: jax.Array, rope: Rotary, places: trees.Places) -> jax.Array:
        """Run flat tokens of trees."""
        x_bld = constrain(x_bld, RESIDUAL)
        return self._finish(x_bld, self.attention.branch(self.attention_norm(x_bld), rope, places))

    def _finish(self, x: jax.Array, attended: jax.Array) -> jax.Array:
        x = constrain(x + self.drop(attended), RESIDUAL)
        return constrain(x + self.drop(self.mlp(self.mlp_norm(x))), RESIDUAL)


class Transformer(nn.Module):
    """Turn tokens into hidden states; the unembedding lives in `api`, where only some of its rows may be wanted."""

    config: ModelConfig
    deterministic: bool = True

    @nn.compact
    def __call__(self, tokens_bl: jax.Array, positions_bl: jax.Array, segments_bl: jax.Array) -> jax.Array:
        """Return the hidden states after the final norm."""
        c = self.config
        # Rows of unit length: with the usual standard deviation of 0.02 the first layers' outputs drown the tokens of a
        # narrow model. Two layers of width 48 had not learned to look values up after 1,500 steps with either of two
        # seeds; so, three of four had by 850 (and every one by 250 with a token shift).
        init = fan_in_normal(c.d_model, ("vocab", "embed"))
        table = functools.partial(
            self.param, init_fn=init, shape=(c.vocab_size, c.d_model), dtype=jnp.dtype(c.param_dtype)
        )
        embedding = table("embedding")
        if not c.tied_embeddings:
            table("unembedding")
        x = embed(c, embedding, tokens_bl)
        x = nn.Dropout(c.dropout, deterministic=self.deterministic)(x)
        block = Block
        if c.remat != "none":
            block = nn.remat(Block, prevent_cse=False, policy=REMAT_POLICIES[cast(Remat, c.remat)])
        layers = nn.scan(
            block,
            variable_axes={"params": 0},
            split_rngs={"params": True, "dropout": True},
            in_axes=(nn.broadcast, nn.broadcast),
            length=c.num_layers,
            metadata_params={nn.PARTITION_NAME: "layers"},
        )
        x, _ = layers(c, self.deterministic, name="layers")(x, rotary(c, positions_bl), segments_bl)
        return RMSNorm(c, name="final_norm")(x)


def read_rows(
    config: ModelConfig,
    params: Params,
    layers: tuple[Params, ...],
    tokens_bl: jax.Array,
    positions_bl: jax.Array,
    segments_bl: jax.Array,
) -> jax.Array:
    """Return the hidden states of packed rows after the final norm: the network with its layers one by one."""
    rope = rotary(config, positions_bl)
    block: Any = Block(config)

    def layer(x_bld: jax.Array, own: Params) -> jax.Array:
        return block.apply({"params": own}, x_bld, rope, segments_bl)[0]

    return _through(config, params, layers, tokens_bl, layer)


def read_trees(
    config: ModelConfig, params: Params, layers: Params | tuple[Params, ...], tokens_bl: jax.Array, grown: trees.Trees
) -> jax.Array:
    """Return the hidden states of flat tokens after the final norm; the layers are stacked or one by one."""
    rope, places = rotary(config, grown.position_bl), trees.find_places(grown, config.shift_width)
    block: Any = Block(config)

    def layer(x_bld: jax.Array, own: Params) -> jax.Array:
        return block.apply({"params": own}, x_bld, rope, places, method="branch")

    return _through(config, params, layers, tokens_bl, layer)


def _through(
    config: ModelConfig,
    params: Params,
    layers: Params | tuple[Params, ...],
    tokens_bl: jax.Array,
    layer: Callable[[jax.Array, Params], jax.Array],
) -> jax.Array:
    x_bld = embed(config, params["embedding"], tokens_bl)
    if isinstance(layers, tuple):
        x_bld = functools.reduce(layer, layers, x_bld)
    else:
        x_bld, _ = jax.lax.scan(lambda x_bld, own: (layer(x_bld, own), None), x_bld, layers)
    norm: Any = RMSNorm(config)
    return norm.apply({"params": params["final_norm"]}, x_bld)


def embed(config: ModelConfig, table_vd: jax.Array, tokens: jax.Array) -> jax.Array:
    """Look tokens of any shape up in the compute type."""
    # Gathering from a table cut along d would make every device compute the whole batch.
    table_vd = constrain(table_vd, ("vocab", "read_embed"))
    return constrain(table_vd[tokens].astype(jnp.dtype(config.dtype)), RESIDUAL)
