"""Search trees as arrays of a fixed number of nodes, and what search does with them: pure functions of one tree.

A node is a step, node 0 the root: the problem, before any step. Nodes are numbered in the order in which they are
added, so that `parent < child` and one scan from the last node back carries anything from the leaves up. Callers vmap
over problems. Axis letters: n node, k new node, w place in the beam, s step of a path, l token of a path.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Spans(NamedTuple):
    """Hold where nodes' steps lie in a store of tokens that is filled in the nodes' order.

    start_n: the first token's place, len_n: how many there are; end_n: how many the solution has up to here.
    """

    start_n: jax.Array
    len_n: jax.Array
    end_n: jax.Array


class Tree(NamedTuple):
    """Hold a tree of `size` nodes; entries past it mean nothing.

    parent_n (-1: none), depth_n steps below the root. prior_n: the step's share among its siblings; prob_n: the reward
    model's probability that all is correct up to here. visits_n, total_n: how many expansions the subtree has seen and
    the sum of the values they gave. open_n: the node may be expanded; final_n: it ends the solution. written: its step
    in the policy's tokens, read: in the reward model's.
    """

    size: jax.Array
    parent_n: jax.Array
    depth_n: jax.Array
    prior_n: jax.Array
    prob_n: jax.Array
    visits_n: jax.Array
    total_n: jax.Array
    open_n: jax.Array
    final_n: jax.Array
    written: Spans
    read: Spans


class NewNodes(NamedTuple):
    """Hold nodes to add, those of keep_k in their order, as in Tree; written_len_k, read_len_k: their tokens."""

    keep_k: jax.Array
    parent_k: jax.Array
    prior_k: jax.Array
    prob_k: jax.Array
    open_k: jax.Array
    final_k: jax.Array
    written_len_k: jax.Array
    read_len_k: jax.Array


def init_tree(num_nodes: int) -> Tree:
    """Return the tree that is nothing but its root, with room for so many nodes."""
    ints, floats, no = jnp.zeros(num_nodes, jnp.int32), jnp.zeros(num_nodes), jnp.zeros(num_nodes, bool)
    return Tree(
        size=jnp.int32(1),
        parent_n=ints - 1,
        depth_n=ints,
        prior_n=floats,
        prob_n=floats,
        visits_n=ints,
        total_n=floats,
        open_n=no.at[0].set(True),
        final_n=no,
        written=Spans(ints, ints, ints),
        read=Spans(ints, ints, ints),
    )


def add(tree: Tree, new: NewNodes) -> tuple[Tree, jax.Array]:
    """Add nodes; return also their numbers, int32 [k], -1 for those not kept or without room."""
    n = tree.parent_n.shape[0]
    node_k = jnp.where(new.keep_k, tree.size + jnp.cumsum(new.keep_k) - 1, n)
    added_k = node_k < n
    put = lambda old, value: old.at[node_k].set(value, mode="drop")  # noqa: E731

    def put_spans(old: Spans, len_k: jax.Array) -> Spans:
        added_len_k = jnp.where(added_k, len_k, 0)
        start_k = jnp.sum(old.len_n) + jnp.cumsum(added_len_k) - added_len_k
        ends_k = old.end_n[new.parent_k] + len_k
        return Spans(put(old.start_n, start_k), put(old.len_n, len_k), put(old.end_n, ends_k))

    tree = tree._replace(
        size=tree.size + jnp.sum(added_k, dtype=jnp.int32),
        parent_n=put(tree.parent_n, new.parent_k),
        depth_n=put(tree.depth_n, tree.depth_n[new.parent_k] + 1),
        prior_n=put(tree.prior_n, new.prior_k),
        prob_n=put(tree.prob_n, new.prob_k),
        open_n=put(tree.open_n, new.open_k),
        final_n=put(tree.final_n, new.final_k),
        written=put_spans(tree.written, new.written_len_k),
        read=put_spans(tree.read, new.read_len_k),
    )
    return tree, jnp.where(added_k, node_k, -1).astype(jnp.int32)


def close(tree: Tree, node_w: jax.Array) -> Tree:
    """Say that nodes (-1: none) have been expanded."""
    return tree._replace(open_n=tree.open_n.at[_or_past(tree, node_w)].set(False, mode="drop"))


def subtree_sums(parent_n: jax.Array, amount_n: jax.Array) -> jax.Array:
    """Return for each node the sum of the amounts in its subtree, itself included: one scan from the last node back."""
    up_n = jnp.where(parent_n >= 0, parent_n, parent_n.shape[0])

    def carry_up(sum_n: jax.Array, node: jax.Array) -> tuple[jax.Array, None]:
        return sum_n.at[up_n[node]].add(sum_n[node], mode="drop"), None

    return jax.lax.scan(carry_up, amount_n, jnp.arange(parent_n.shape[0]), reverse=True)[0]


def backup(tree: Tree, node_w: jax.Array, value_w: jax.Array) -> Tree:
    """Count one visit of this value for each node w (-1: none) and for all nodes above it."""
    n = tree.parent_n.shape[0]
    seen = jnp.stack([value_w, jnp.ones_like(value_w)], -1)
    amount_nx = jnp.zeros((n, 2)).at[_or_past(tree, node_w)].add(seen, mode="drop")
    sum_nx = subtree_sums(tree.parent_n, amount_nx)
    return tree._replace(total_n=tree.total_n + sum_nx[:, 0], visits_n=tree.visits_n + sum_nx[:, 1].astype(jnp.int32))


def values(tree: Tree) -> jax.Array:
    """Return each node's value: the mean of the reward model's own word and what the subtree's expansions gave."""
    return (tree.prob_n + tree.total_n) / (1 + tree.visits_n)


def puct_scores(tree: Tree, exploration: float) -> jax.Array:
    """Return value + exploration * prior * sqrt(parent's visits) / (1 + visits) (Silver et al. 2017) of each node."""
    parent_visits_n = tree.visits_n[jnp.maximum(tree.parent_n, 0)].astype(jnp.float32)
    return values(tree) + exploration * tree.prior_n * jnp.sqrt(parent_visits_n) / (1 + tree.visits_n)


def select(tree: Tree, exploration: float) -> jax.Array:
    """Go down from the root by the highest PUCT score, the first at ties, to an open node; -1 if there is none.

    Only children with an open node in their subtree are gone to, so that no expansion is wasted on what has ended.
    """
    has_open_n = subtree_sums(tree.parent_n, tree.open_n.astype(jnp.int32)) > 0
    score_n = puct_scores(tree, exploration)

    def down(node: jax.Array) -> jax.Array:
        leads_n = (tree.parent_n == node) & has_open_n
        return jnp.argmax(jnp.where(leads_n, score_n, -jnp.inf)).astype(jnp.int32)

    node = jax.lax.while_loop(lambda node: has_open_n[0] & ~tree.open_n[node], down, jnp.int32(0))
    return jnp.where(has_open_n[0], node, -1)


def keep_best(tree: Tree, beam_w: jax.Array, prob_k: jax.Array, possible_k: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Choose the beam's next nodes: the likeliest among the possible candidates k and what has ended in the beam.

    Return which candidates are kept, and for each place w of the new beam what takes it: a place of the old beam, or
    the old beam's size plus a candidate, or -1. What has ended comes first at ties, then the first candidates.
    """
    held_w = (beam_w >= 0) & ~tree.open_n[beam_w]
    pool = jnp.concatenate([jnp.where(held_w, tree.prob_n[beam_w], -1.0), jnp.where(possible_k, prob_k, -1.0)])
    top_w, chosen_w = jax.lax.top_k(pool, beam_w.shape[0])
    chosen_w = jnp.where(top_w >= 0, chosen_w, -1)
    kept_k = jnp.any(chosen_w[:, None] == beam_w.shape[0] + jnp.arange(prob_k.shape[0]), 0)
    return kept_k, chosen_w


def best(tree: Tree) -> jax.Array:
    """Return the node whose path is the result: the likeliest that ends a solution, the first at ties.

    If none does, the likeliest among the deepest, which is as far as the search got; the root, if it got nowhere.
    """
    exists_n = jnp.arange(tree.parent_n.shape[0]) < tree.size
    ends_n = exists_n & tree.final_n
    deepest_n = exists_n & (tree.depth_n == jnp.max(jnp.where(exists_n, tree.depth_n, 0)))
    able_n = jnp.where(jnp.any(ends_n), ends_n, deepest_n)
    return jnp.argmax(jnp.where(able_n, tree.prob_n, -1.0)).astype(jnp.int32)


def path(tree: Tree, node: jax.Array, max_steps: int) -> jax.Array:
    """Return the nodes from the root to `node`, int32 [max_steps + 1], -1 past it; all -1 for node -1."""

    def up(_: jax.Array, carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        path_s, node = carry
        place = jnp.where(node >= 0, tree.depth_n[node], max_steps + 1)
        return path_s.at[place].set(node, mode="drop"), jnp.where(node >= 0, tree.parent_n[node], -1)

    start = (jnp.full(max_steps + 1, -1, jnp.int32), node.astype(jnp.int32))
    return jax.lax.fori_loop(0, max_steps + 1, up, start)[0]


def token_places(spans: Spans, path_s: jax.Array, num_tokens: int) -> jax.Array:
    """Return where the store holds the path's tokens, int32 [num_tokens]; past the path's end they mean nothing."""
    token_l = jnp.arange(num_tokens)
    before_ls = (path_s >= 0) & (spans.end_n[path_s] <= token_l[:, None])
    node_l = path_s[jnp.minimum(jnp.sum(before_ls, -1), path_s.shape[0] - 1)]
    return spans.start_n[node_l] + token_l - (spans.end_n[node_l] - spans.len_n[node_l])


def _or_past(tree: Tree, node_w: jax.Array) -> jax.Array:
    """Return the nodes with -1 made a number that no node has."""
    return jnp.where(node_w >= 0, node_w, tree.parent_n.shape[0])
