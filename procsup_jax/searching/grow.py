"""The tree search's compiled half: choose nodes, branch from them, score, add what is kept to the tree.

Beam and PUCT differ in which nodes they choose and which candidates they keep.
Axis letters: b lane (a problem), n node, w node expanded at a time, k candidate of one, j candidate of the lane,
t token of a step, l token of a solution or of the store.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from procsup_jax.decode.draw import VocabTables
from procsup_jax.models import api
from procsup_jax.models.api import KV, DecoderParams
from procsup_jax.parallel import rules, split
from procsup_jax.parallel.streams import calling
from procsup_jax.searching import anew, branch, judge, tree
from procsup_jax.searching.anew import Reader
from procsup_jax.searching.branch import Candidates, Prefixes
from procsup_jax.searching.forest import Forest, TreeProgram, of_nodes, path_tokens, pin, prefixes
from procsup_jax.searching.judge import Judged, ReadSteps
from procsup_jax.searching.tree import NewNodes, Tree


@functools.partial(jax.jit, static_argnames=("program",), donate_argnames=("forest",))
def advance(
    program: TreeProgram, policy: DecoderParams, rm: DecoderParams, tables: VocabTables, forest: Forest
) -> tuple[Forest, jax.Array]:
    """Expand nodes in every active lane; return also which lanes are still active, whole on every device."""

    def expand(whole: tuple[DecoderParams, DecoderParams, VocabTables], forest: Forest) -> Forest:
        policy, rm, tables = whole
        policy_prefix, rm_prefix = prefixes(program, forest, forest.next_bw)
        found = _sample(program, policy, tables, forest, policy_prefix)
        return _take(program, rm, forest, found, judge.as_written(program.steps, tables, found), rm_prefix)

    axes = api.state_axes(forest)
    return _pinned(split.over_batch(expand, (policy, rm, tables), forest, axes, axes))


def advance_anew(
    program: TreeProgram,
    reader: Reader,
    policy: DecoderParams,
    rm: DecoderParams,
    tables: VocabTables,
    forest: Forest,
) -> tuple[Forest, jax.Array]:
    """Do what `advance` does, for a reward model of other tokens: its steps are encoded on the host, between two calls.

    `parallel.streams.calling` must not be held.
    """
    with calling:
        found, written = _sample_for_host(program, policy, tables, forest)
    steps = reader.read(written)
    with calling:
        return _take_read(program, rm, forest, found, steps)


def _sample(
    program: TreeProgram, policy: DecoderParams, tables: VocabTables, forest: Forest, prefix: Prefixes
) -> Candidates:
    starts = _starts(forest, forest.next_bw, prefix)
    return branch.sample_steps(program.steps, policy, tables, starts, forest.policy_room_b)


@functools.partial(jax.jit, static_argnames=("program",))
def _sample_for_host(
    program: TreeProgram, policy: DecoderParams, tables: VocabTables, forest: Forest
) -> tuple[Candidates, anew.Written]:
    node_bw = forest.next_bw

    def sample(whole: tuple[DecoderParams, VocabTables], forest: Forest) -> Candidates:
        return _sample(program, *whole, forest, prefixes(program, forest, forest.next_bw)[0])

    shapes = jax.eval_shape(sample, (policy, tables), forest)
    found = split.over_batch(sample, (policy, tables), forest, api.state_axes(forest), api.state_axes(shapes))

    def tokens(one: Tree, tokens_l: jax.Array, node: jax.Array) -> jax.Array:
        return path_tokens(program, one, tokens_l, tree.path(one, node, program.steps.max_steps))

    tokens_bwl = jax.vmap(jax.vmap(tokens, (None, None, 0)))(forest.trees, forest.tokens_bl, node_bw)
    tokens_nl = tokens_bwl.reshape(-1, program.steps.max_tokens)
    len_bw = of_nodes(forest.trees.written.end_n, node_bw)
    rm_len_bw = forest.rm.len_n[:, None] + of_nodes(forest.trees.read.end_n, node_bw)
    active_n = node_bw.reshape(-1) >= 0
    return found, anew.written(tokens_nl, len_bw.reshape(-1), found, active_n, rm_len_bw.reshape(-1))


def _take(
    program: TreeProgram,
    rm: DecoderParams,
    forest: Forest,
    found: Candidates,
    steps: ReadSteps,
    rm_prefix: Prefixes,
) -> Forest:
    """Judge the candidates, keep some, and choose the nodes to expand next."""
    node_bw = forest.next_bw
    active_n = node_bw.reshape(-1) >= 0
    judged = judge.judge(program.steps, rm, rm_prefix, found, steps, active_n, forest.rm_room_b)
    forest, slot_bj, node_bj = _grow(program, forest, found, steps, judged)
    forest = _store(program, forest, found, judged, slot_bj, node_bj)
    by_lane = lambda a: a.reshape(node_bw.shape[0], -1)  # noqa: E731
    forest = forest._replace(
        policy_room_b=forest.policy_room_b - jnp.sum(by_lane(found.len_nk), -1),
        rm_room_b=forest.rm_room_b - jnp.sum(by_lane(judged.read_len_n), -1),
    )
    is_out_b = (forest.policy_room_b <= 0) | (forest.rm_room_b <= 0) | jnp.any(by_lane(judged.left_out_n), -1)
    is_out_b |= forest.trees.visits_n[:, 0] >= program.num_expansions
    goes_on_b1 = jnp.any(node_bw >= 0, -1, keepdims=True) & ~is_out_b[:, None]
    return forest._replace(next_bw=jnp.where(goes_on_b1, _choose(program, forest), -1))


@functools.partial(jax.jit, static_argnames=("program",), donate_argnames=("forest",))
def _take_read(
    program: TreeProgram, rm: DecoderParams, forest: Forest, found: Candidates, steps: ReadSteps
) -> tuple[Forest, jax.Array]:
    axes = api.state_axes(forest)
    parts_axes = axes, api.state_axes(found), judge.STEPS_AXES

    def take(rm: DecoderParams, parts: tuple[Forest, Candidates, ReadSteps]) -> Forest:
        return _take(program, rm, *parts, prefixes(program, parts[0], parts[0].next_bw)[1])

    return _pinned(split.over_batch(take, rm, (forest, found, steps), parts_axes, axes))


def _pinned(forest: Forest) -> tuple[Forest, jax.Array]:
    return pin(forest), rules.constrain(jnp.any(forest.next_bw >= 0, -1), (None,))


def _choose(program: TreeProgram, forest: Forest) -> jax.Array:
    """Return the nodes to expand in each lane, int32 [b, w], -1 for none."""
    if program.is_beam:
        open_bw = jnp.take_along_axis(forest.trees.open_n, jnp.maximum(forest.beam_bw, 0), 1)
        return jnp.where(open_bw, forest.beam_bw, -1)
    return jax.vmap(lambda one: tree.select(one, program.exploration))(forest.trees)[:, None]


def _starts(forest: Forest, node_bw: jax.Array, prefix: Prefixes) -> branch.Starts:
    start_bw, len_bw, end_bw = (of_nodes(a, node_bw) for a in forest.trees.written)
    newest_bw = jnp.take_along_axis(forest.tokens_bl, jnp.maximum(start_bw + len_bw - 1, 0), 1)
    return branch.Starts(
        policy=prefix,
        start_n=jnp.where(node_bw > 0, newest_bw, forest.last_b[:, None]).reshape(-1),
        step_n=of_nodes(forest.step_bn, node_bw).reshape(-1),
        key_n2=jnp.take_along_axis(forest.key_bn2, jnp.maximum(node_bw, 0)[..., None], 1).reshape(-1, 2),
        len_n=end_bw.reshape(-1),
        active_n=(node_bw >= 0).reshape(-1),
    )


def _grow(
    program: TreeProgram, forest: Forest, found: Candidates, steps: ReadSteps, judged: Judged
) -> tuple[Forest, jax.Array, jax.Array]:
    """Add candidates to the trees and back their values up.

    Return also the candidates j of each lane that were added, in the nodes' order, and their nodes (-1: none).
    """
    node_bw = forest.next_bw
    b, w = node_bw.shape
    by_lane = lambda a: a.reshape(b, -1)  # noqa: E731
    k, parent_bw = found.len_nk.shape[1], jnp.maximum(node_bw, 0)
    distinct_nk = judged.possible_nk & (judged.first_nk == jnp.arange(k))
    share_nk = judge.shares(judged)
    end_n = of_nodes(forest.trees.written.end_n, node_bw).reshape(-1, 1) + found.len_nk
    deep_n = of_nodes(forest.trees.depth_n, node_bw).reshape(-1, 1) + 1 >= program.steps.max_steps
    is_full_n = end_n + len(program.steps.separator_ids) >= program.steps.max_tokens
    new = NewNodes(
        keep_k=by_lane(distinct_nk),
        parent_k=jnp.repeat(parent_bw, k, 1),
        prior_k=by_lane(share_nk),
        prob_k=by_lane(judged.prob_nk),
        open_k=by_lane(~found.final_nk & ~deep_n & ~is_full_n),
        final_k=by_lane(found.final_nk),
        written_len_k=by_lane(found.len_nk),
        # Nothing goes on from what ends a solution.
        read_len_k=by_lane(jnp.where(found.final_nk, 0, steps.len_nk)),
    )
    beam_bw = forest.beam_bw
    if program.is_beam:
        keep_bj, chosen_bw = jax.vmap(tree.keep_best)(forest.trees, beam_bw, new.prob_k, new.keep_k)
        new = new._replace(keep_k=keep_bj)
    trees, node_bj = jax.vmap(tree.add)(jax.vmap(tree.close)(forest.trees, node_bw), new)
    if program.is_beam:
        taken_bw = jnp.take_along_axis(jnp.concatenate([beam_bw, node_bj], 1), jnp.maximum(chosen_bw, 0), 1)
        beam_bw = jnp.where(chosen_bw >= 0, taken_bw, -1)
    value_bw = jnp.sum(share_nk * jnp.where(distinct_nk, judged.prob_nk, 0.0), -1).reshape(b, w)
    trees = jax.vmap(tree.backup)(trees, node_bw, value_bw)
    order_bj = jnp.argsort(node_bj < 0, axis=-1, stable=True)
    return forest._replace(trees=trees, beam_bw=beam_bw), order_bj, jnp.take_along_axis(node_bj, order_bj, 1)


def _store(
    program: TreeProgram, forest: Forest, found: Candidates, judged: Judged, slot_bj: jax.Array, node_bj: jax.Array
) -> Forest:
    """Keep the new nodes' tokens, random keys, and keys and values; slot_bj are their candidates."""
    b, t = forest.beam_bw.shape[0], found.tokens_nkt.shape[2]
    k, lane_b1 = found.len_nk.shape[1], jnp.arange(b)[:, None]
    (start_bj, len_bj), (read_start_bj, read_len_bj) = (
        (of_nodes(spans.start_n, node_bj), jnp.where(node_bj >= 0, of_nodes(spans.len_n, node_bj), 0))
        for spans in (forest.trees.written, forest.trees.read)
    )
    place_bjt = jnp.where(jnp.arange(t) < len_bj[..., None], start_bj[..., None] + jnp.arange(t), program.num_tokens)
    tokens_bjt = jnp.take_along_axis(found.tokens_nkt.reshape(b, -1, t), slot_bj[..., None], 1)
    parent_bj = jnp.maximum(of_nodes(forest.trees.parent_n, node_bj), 0)
    keys_bj2 = branch.child_keys(jnp.take_along_axis(forest.key_bn2, parent_bj[..., None], 1), slot_bj % k)
    step_bj = jnp.take_along_axis(found.step_nk.reshape(b, -1), slot_bj, 1)
    node_or_past = jnp.where(node_bj >= 0, node_bj, program.num_nodes)
    stores = (forest.policy.kv, forest.rm.kv)

    def keep(i: jax.Array, stores: tuple[KV, KV]) -> tuple[KV, KV]:
        slot_b, start_b, rm_start_b = slot_bj[:, i], start_bj[:, i], read_start_bj[:, i]
        policy = api.commit(stores[0], forest.policy.len_n + start_b, found.suffix, slot_b, len_bj[:, i])
        rm = api.commit(stores[1], forest.rm.len_n + rm_start_b, judged.suffix, slot_b, read_len_bj[:, i])
        return policy, rm

    stores = jax.lax.fori_loop(0, jnp.max(jnp.sum(node_bj >= 0, -1)), keep, stores)
    return forest._replace(
        policy=forest.policy._replace(kv=stores[0]),
        rm=forest.rm._replace(kv=stores[1]),
        tokens_bl=forest.tokens_bl.at[lane_b1[..., None], place_bjt].set(tokens_bjt, mode="drop"),
        key_bn2=forest.key_bn2.at[lane_b1, node_or_past].set(keys_bj2, mode="drop"),
        step_bn=forest.step_bn.at[lane_b1, node_or_past].set(step_bj, mode="drop"),
    )
