"""Functions of logits over long rows, with few of the logits in memory at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp

Output = TypeVar("Output")

# 16 MiB of float32 for each row of a batch: 4,096 positions of a vocabulary of 1,024, or 128 of 32,768.
MAX_LOGITS = 2**22


def map_chunks(fn: Callable[..., Output], vocab_size: int, *arrays: jax.Array, max_logits: int = MAX_LOGITS) -> Output:
    """Apply `fn` to equal pieces of arrays [b, l, ...]; return its outputs stacked on a new first axis.

    A piece has as many positions as make `max_logits` logits of a row. With several, what `fn` computes is computed
    again in the backward pass instead of being kept.
    """
    num_chunks, length = 1, arrays[0].shape[1]
    while length % num_chunks or length // num_chunks * vocab_size > max(max_logits, vocab_size):
        num_chunks += 1
    if num_chunks == 1:
        return jax.tree.map(lambda out: out[None], fn(*arrays))

    def cut(array: jax.Array) -> jax.Array:
        return jnp.moveaxis(array.reshape(array.shape[0], num_chunks, -1, *array.shape[2:]), 1, 0)

    return jax.lax.map(lambda chunk: jax.checkpoint(fn)(*chunk), tuple(map(cut, arrays)))
