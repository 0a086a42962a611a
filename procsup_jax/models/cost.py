"""What a model costs: its parameters and its arithmetic."""

from __future__ import annotations

import functools

import jax

from procsup_jax.models.config import ModelConfig
from procsup_jax.models.heads import Head


def num_params(config: ModelConfig, head: Head | None = None) -> int:
    """Count the parameters, embeddings included, and those of a head."""
    c = config
    norms = 2 * c.d_model
    tables = c.vocab_size * c.d_model * (1 if c.tied_embeddings else 2)
    own = {} if head is None else jax.eval_shape(functools.partial(head.init_params, c), jax.random.key(0))
    trunk = c.num_layers * (_layer_kernels(c) + norms + c.shift_width * c.d_model) + tables + c.d_model
    return trunk + sum(array.size for array in jax.tree.leaves(own))


def forward_flops_per_token(config: ModelConfig, context_len: int, with_logits: bool = True) -> int:
    """Count the multiply-adds, two FLOPs each, of one token's forward pass, with its logits or without.

    `context_len` is the number of positions the token attends to, itself included. Norms, softmax and the other
    elementwise work are left out, as is usual. Training costs three times as much.
    """
    c = config
    kernels = c.num_layers * _layer_kernels(c) + with_logits * c.vocab_size * c.d_model
    attention = c.num_layers * c.num_heads * c.head_dim * 2 * context_len
    return 2 * (kernels + attention)


def _layer_kernels(c: ModelConfig) -> int:
    qkv = c.d_model * (c.num_heads + 2 * c.num_kv_heads) * c.head_dim
    out = c.num_heads * c.head_dim * c.d_model
    return qkv + out + 3 * c.d_model * c.d_ff
