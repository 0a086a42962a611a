"""Prompts with several branches each, laid out so that every token is read once.

The tokens of a row lie flat, with padding at the end only: first some prompts, then the branches (solutions), each
going on from the last token of its prompt. All that is done token by token, most of the work, is done on them as they
lie; attention alone gathers them into rectangles, a row for each prompt and each branch, and its outputs back.
Axis letters: b row, l flat token, n prompt of a row, p position in it, r branch of a row, t position in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class TreeShape(NamedTuple):
    """Say how much a row holds: tokens, prompts, the longest prompt, branches, the longest branch."""

    num_tokens: int
    num_prompts: int
    prompt_len: int
    num_branches: int
    branch_len: int


class Trees(NamedTuple):
    """Say how flat tokens [b, l] hang together.

    `parent_bl` is where the token before each one lies, -1 before the first of a prompt; `position_bl` counts from
    there. `prompt_bnp` and `branch_brt` say where each prompt's and branch's tokens lie (past its length: anywhere),
    `prompt_br` which prompt a branch goes on from, `place_bl` where each token is in the rectangles [n, p] and [r, t]
    one behind the other.
    """

    parent_bl: jax.Array
    position_bl: jax.Array
    prompt_bnp: jax.Array
    prompt_len_bn: jax.Array
    branch_brt: jax.Array
    prompt_br: jax.Array
    place_bl: jax.Array


class Places(NamedTuple):
    """Hold what every layer asks of trees: the fields' own, ancestors, nearest first, and segments for attention."""

    prompt_bnp: jax.Array
    branch_brt: jax.Array
    prompt_br: jax.Array
    place_bl: jax.Array
    ancestors_blw: jax.Array
    prompt_segments_xp: jax.Array
    branch_segments_xm: jax.Array


def plant(
    shape: TreeShape, prompts: Sequence[Sequence[int]], branches: Sequence[tuple[int, Sequence[int]]]
) -> tuple[np.ndarray, Trees]:
    """Lay out one row: its tokens [l] and its trees, without the axis b. A branch is its prompt's index and tokens."""
    tokens_l, position_l, place_l = np.zeros((3, shape.num_tokens), np.int32)
    parent_l = np.full(shape.num_tokens, -1, np.int32)
    prompt_np = np.zeros((shape.num_prompts, shape.prompt_len), np.int32)
    branch_rt = np.zeros((shape.num_branches, shape.branch_len), np.int32)
    prompt_len_n, prompt_r = np.zeros(shape.num_prompts, np.int32), np.zeros(shape.num_branches, np.int32)
    at = 0

    def lay(tokens: Sequence[int], parent: int, position: int, place: int) -> np.ndarray:
        nonlocal at
        own = np.arange(at, at + len(tokens))
        tokens_l[own], position_l[own], place_l[own] = tokens, position + own - at, place + own - at
        parent_l[own], parent_l[at] = own - 1, parent
        at += len(tokens)
        return own

    for n, tokens in enumerate(prompts):
        prompt_len_n[n] = len(tokens)
        prompt_np[n, : len(tokens)] = lay(tokens, -1, 0, n * shape.prompt_len)
    for r, (n, tokens) in enumerate(branches):
        prompt_r[r], last = n, prompt_np[n, prompt_len_n[n] - 1]
        branch_rt[r, : len(tokens)] = lay(tokens, last, prompt_len_n[n], prompt_np.size + r * shape.branch_len)
    fields: Sequence[Any] = (parent_l, position_l, prompt_np, prompt_len_n, branch_rt, prompt_r, place_l)
    return tokens_l, Trees(*fields)


def take(x_blx: jax.Array, index: jax.Array) -> jax.Array:
    """Take positions of each row: `index` [b, ...] counts along the second axis; what is outside is its nearest."""
    return jax.vmap(lambda row, at: jnp.take(row, at, axis=0, mode="clip"))(x_blx, index)


def find_places(trees: Trees, num_ancestors: int) -> Places:
    """Work out what every layer asks, once."""
    p, t = trees.prompt_bnp.shape[2], trees.branch_brt.shape[2]
    ancestors = [trees.parent_bl]
    while len(ancestors) < num_ancestors:
        ancestors.append(jnp.where(ancestors[-1] >= 0, take(trees.parent_bl, ancestors[-1]), -1))
    prompt_bnp = (jnp.arange(p) < trees.prompt_len_bn[..., None]).astype(jnp.int32)
    shared_brp = take(prompt_bnp, trees.prompt_br)
    branch_brm = jnp.concatenate([shared_brp, jnp.ones((*shared_brp.shape[:2], t), jnp.int32)], axis=2)
    return Places(
        trees.prompt_bnp, trees.branch_brt, trees.prompt_br, trees.place_bl, jnp.stack(ancestors, -1),
        prompt_bnp.reshape(-1, p), branch_brm.reshape(-1, p + t),
    )  # fmt: skip
