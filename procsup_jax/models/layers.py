"""The parts of a transformer block, each with a packed and a cached reading of the same parameters.

Activations are flattened to two dimensions before every matmul: on XLA:CPU the backward pass of a three-dimensional
one is over twice as slow, elsewhere it makes no difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from procsup_jax.models import trees
from procsup_jax.models.attention import slot_attention
from procsup_jax.models.cache import LayerKV, Slots, from_kept, history, write
from procsup_jax.models.config import ModelConfig, RopeScaling
from procsup_jax.models.kernels import attend
from procsup_jax.parallel.rules import LogicalAxes, constrain

Params = Mapping[str, Any]


class Rotary(NamedTuple):
    """Hold the sines and cosines of rotary positions, each [..., e / 2] in float32."""

    sin: jax.Array
    cos: jax.Array


def rotary(config: ModelConfig, positions: jax.Array) -> Rotary:
    """Compute the rotary angles of positions of any shape (Su et al. 2021)."""
    half = config.head_dim // 2
    freqs = config.rope_theta ** (-jnp.arange(half, dtype=jnp.float32) / half)
    if config.rope_scaling is not None:
        freqs = _stretched(config.rope_scaling, freqs)
    angles = positions[..., None].astype(jnp.float32) * freqs
    return Rotary(jnp.sin(angles), jnp.cos(angles))


def _stretched(scaling: RopeScaling, freqs: jax.Array) -> jax.Array:
    """Stretch frequencies as `rope_type` "llama3" of Hugging Face's transformers does."""
    turns = scaling.original_max_len * freqs / (2 * jnp.pi)
    kept = (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor)
    kept = jnp.clip(kept, 0.0, 1.0)
    return freqs * (kept + (1.0 - kept) / scaling.factor)


def rotate(x: jax.Array, rope: Rotary) -> jax.Array:
    """Rotate the two halves of the last axis; `rope` broadcasts against it."""
    first, second = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    sin, cos = rope
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1).astype(x.dtype)


def named_axes(init: nn.initializers.Initializer, axes: LogicalAxes) -> nn.initializers.Initializer:
    """Attach logical axis names to what an initializer makes."""
    return nn.with_logical_partitioning(init, axes)


def fan_in_normal(fan_in: int, axes: LogicalAxes, scale: float = 1.0) -> nn.initializers.Initializer:
    """Draw from a normal distribution of standard deviation scale / sqrt(fan_in)."""
    return named_axes(nn.initializers.normal(scale * fan_in**-0.5), axes)


def matmul(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Multiply [..., d] by [d, ...]: both flattened to two dimensions, the result shaped like the outer axes."""
    flat = x.reshape(-1, x.shape[-1]) @ kernel.reshape(kernel.shape[0], -1).astype(x.dtype)
    return flat.reshape(*x.shape[:-1], *kernel.shape[1:])


def logits(hidden: jax.Array, table_vd: jax.Array) -> jax.Array:
    """Multiply hidden states [..., d] by rows of an unembedding; float32 [..., v]."""
    flat = hidden.reshape(-1, hidden.shape[-1])
    found = jnp.einsum("xd,vd->xv", flat, table_vd.astype(hidden.dtype), preferred_element_type=jnp.float32)
    return found.reshape(*hidden.shape[:-1], table_vd.shape[0])


def unembedding(config: ModelConfig, params: Params) -> jax.Array:
    """Return the table [v, d] that logits are made with."""
    return params["embedding" if config.tied_embeddings else "unembedding"]


class RMSNorm(nn.Module):
    """Divide by the root mean square in float32, then scale (Zhang and Sennrich 2019)."""

    config: ModelConfig

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Norm the last axis."""
        c = self.config
        init = named_axes(nn.initializers.ones_init(), ("act_embed",))
        scale = self.param("scale", init, (c.d_model,), jnp.dtype(c.param_dtype))
        wide = x.astype(jnp.float32)
        normed = wide * jax.lax.rsqrt(jnp.mean(wide * wide, axis=-1, keepdims=True) + c.norm_eps)
        return (normed * scale.astype(jnp.float32)).astype(x.dtype)


class TokenShift(nn.Module):
    """Add to each position a learned mix, channel by channel, of the `shift_width` positions before it."""

    config: ModelConfig

    def setup(self) -> None:
        """Declare the parameters."""
        c = self.config
        init = named_axes(nn.initializers.zeros_init(), (None, "act_embed"))
        self.mix = self.param("mix", init, (c.shift_width, c.d_model), jnp.dtype(c.param_dtype))

    def __call__(self, x_rld: jax.Array, segments_rl: jax.Array) -> jax.Array:
        """Shift packed rows; nothing is carried from one document to the next."""
        length, out = x_rld.shape[1], x_rld
        for back in range(1, min(self.config.shift_width, length - 1) + 1):
            earlier = jnp.pad(x_rld[:, :-back], ((0, 0), (back, 0), (0, 0)))
            same = segments_rl == jnp.pad(segments_rl[:, :-back], ((0, 0), (back, 0)), constant_values=-1)
            out = out + jnp.where(same[..., None], earlier, 0) * self.mix[back - 1].astype(x_rld.dtype)
        return out

    def after(self, x_rtd: jax.Array, history_rwd: jax.Array) -> jax.Array:
        """Shift t new positions whose predecessors are `history_rwd`, oldest first, zeros before the start."""
        width, t, out = self.config.shift_width, x_rtd.shape[1], x_rtd
        full = jnp.concatenate([history_rwd, x_rtd], axis=1)
        for back in range(1, width + 1):
            out = out + full[:, width - back : width - back + t] * self.mix[back - 1].astype(x_rtd.dtype)
        return out

    def along(self, x_bld: jax.Array, ancestors_blw: jax.Array) -> jax.Array:
        """Shift flat tokens, each along its own ancestors, nearest first (see `trees`)."""
        out = x_bld
        for back in range(self.config.shift_width):
            index_bl = ancestors_blw[..., back]
            earlier = jnp.where(index_bl[..., None] >= 0, trees.take(x_bld, index_bl), 0)
            out = out + earlier * self.mix[back].astype(x_bld.dtype)
        return out


class Attention(nn.Module):
    """Attend with grouped queries and rotary positions.

    The projections to queries, keys and values are one kernel [d, k, g + 2, e], so that one matmul computes them and
    the key-value heads can be sharded.
    """

    config: ModelConfig

    def setup(self) -> None:
        """Declare the parameters."""
        c = self.config
        dtype = jnp.dtype(c.param_dtype)
        width = c.num_heads * c.head_dim
        self.qkv = self.param(
            "qkv",
            fan_in_normal(c.d_model, ("embed", "kv_heads", None, None)),
            (c.d_model, c.num_kv_heads, c.queries_per_kv + 2, c.head_dim),
            dtype,
        )
        self.out = self.param(
            "out", fan_in_normal(width, ("heads", "embed"), _residual_scale(c)), (width, c.d_model), dtype
        )
        if c.shift_width:
            self.shift = TokenShift(c)

    def __call__(self, x_rld: jax.Array, rope_rle: Rotary, segments_rl: jax.Array) -> tuple[jax.Array, LayerKV]:
        """Attend within each document of packed rows; return the output and the keys and values of every position."""
        r, length, _ = x_rld.shape
        mixed = self.shift(x_rld, segments_rl) if self.config.shift_width else x_rld
        q, k, v = self._project(mixed, rope_rle)
        out = attend(self.config.attention, q, k, v, segments_rl)
        out = out.transpose(0, 3, 1, 2, 4).reshape(r, length, -1)
        return matmul(out, self.out), self._kept(k, v, x_rld if self.config.shift_width else None)

    def extend(
        self, x_rtd: jax.Array, rope_rte: Rotary, slots: Slots, prefix: LayerKV, suffix: LayerKV
    ) -> tuple[jax.Array, LayerKV]:
        """Attend from t new tokens of each slot (rows are lanes x slots); return the output and the suffix written."""
        r, t, _ = x_rtd.shape
        n, s = slots.suffix_len_ns.shape
        start_r = slots.suffix_len_ns.reshape(-1)
        mixed = x_rtd
        if self.config.shift_width:
            # Written before the history is read: the other way round XLA keeps the old cache and copies all of it.
            suffix = write(suffix, LayerKV((), (), (x_rtd,)), start_r)
            history_rwd = from_kept(history(prefix, suffix, slots, self.config.shift_width), x_rtd.dtype)
            mixed = self.shift.after(x_rtd, history_rwd)
        q, k, v = self._project(mixed, rope_rte)
        suffix = write(suffix, self._kept(k, v, None), start_r)
        out = slot_attention(
            q.reshape(n, s, *q.shape[1:]), (prefix.k, prefix.v), slots.prefix_len_n, (suffix.k, suffix.v),
            slots.suffix_len_ns,
        )  # fmt: skip
        out = out.transpose(0, 1, 4, 2, 3, 5).reshape(r, t, -1)
        return matmul(out, self.out), suffix

    def branch(self, x_bld: jax.Array, rope_ble: Rotary, places: trees.Places) -> jax.Array:
        """Attend from each flat token to its ancestors and itself."""
        b, length, _ = x_bld.shape
        g, kernel = self.config.queries_per_kv, self.config.attention
        mixed = self.shift.along(x_bld, places.ancestors_blw) if self.config.shift_width else x_bld
        qkv = matmul(mixed, self.qkv)
        turned = rotate(qkv[..., : g + 1, :], Rotary(*(part[:, :, None, None] for part in rope_ble)))
        qkv = jnp.concatenate([turned, qkv[..., g + 1 :, :]], axis=3)

        def split(index_brt: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
            rows = trees.take(qkv, index_brt).reshape(-1, *index_brt.shape[2:], *qkv.shape[2:]).transpose(0, 2, 3, 1, 4)
            return rows[:, :, :g], rows[:, :, g], rows[:, :, g + 1]

        def after(shared: jax.Array, own: jax.Array) -> jax.Array:
            by_lane = shared.reshape(b, -1, *shared.shape[1:])
            return jnp.concatenate([trees.take(by_lane, places.prompt_br).reshape(-1, *shared.shape[1:]), own], axis=2)

        def flat(out: jax.Array) -> jax.Array:
            return out.transpose(0, 3, 1, 2, 4).reshape(b, -1, self.config.num_heads * self.config.head_dim)

        q, k, v = split(places.prompt_bnp)
        own_q, own_k, own_v = split(places.branch_brt)
        outs = [
            attend(kernel, q, k, v, places.prompt_segments_xp),
            attend(kernel, own_q, after(k, own_k), after(v, own_v), places.branch_segments_xm),
        ]
        out = trees.take(jnp.concatenate([flat(each) for each in outs], axis=1), places.place_bl)
        return matmul(out, self.out)

    def _kept(self, k_rkle: jax.Array, v_rkle: jax.Array, x_rld: jax.Array | None) -> LayerKV:
        return LayerKV((k_rkle.swapaxes(2, 3),), (v_rkle,), () if x_rld is None else (x_rld,))

    def _project(self, x_rld: jax.Array, rope_rle: Rotary) -> tuple[jax.Array, jax.Array, jax.Array]:
        g = self.config.queries_per_kv
        qkv = matmul(x_rld, self.qkv).transpose(0, 2, 3, 1, 4)
        rope = Rotary(*(part[:, None, None] for part in rope_rle))
        q, k, v = qkv[:, :, :g], qkv[:, :, g : g + 1], qkv[:, :, g + 1]
        by_head = lambda a: constrain(a, ("rows", "kv_heads") + (None,) * (a.ndim - 2))  # noqa: E731
        return by_head(rotate(q, rope)), by_head(rotate(k, rope)[:, :, 0]), by_head(v)


class MLP(nn.Module):
    """Apply the gated MLP with SiLU (Shazeer 2020)."""

    config: ModelConfig

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Map the last axis to itself through d_ff hidden units."""
        c = self.config
        dtype = jnp.dtype(c.param_dtype)
        wide = fan_in_normal(c.d_model, ("embed", "ff"))
        gate = matmul(x, self.param("gate", wide, (c.d_model, c.d_ff), dtype))
        up = matmul(x, self.param("up", wide, (c.d_model, c.d_ff), dtype))
        narrow = fan_in_normal(c.d_ff, ("ff", "embed"), _residual_scale(c))
        down = self.param("down", narrow, (c.d_ff, c.d_model), dtype)
        return matmul(nn.silu(gate) * up, down)


def _residual_scale(config: ModelConfig) -> float:
    return float((2 * config.num_layers) ** -0.5)
