"""The tree search's compiled half: choose nodes, branch from them, score, add what is kept to the tree.

Each lane has one store for each model: the keys and values of its prompt and, behind them, of each node's own step, in
the order of the nodes. To go on from a node, its path's are gathered into a prefix (a copy, no model work), so that
steps are shared by all that goes on from them and no token is read twice. Beam and PUCT differ in which nodes they
choose and which candidates they keep.
Axis letters: b lane (a problem), n node, w node expanded at a time, k candidate of one, j candidate of the lane,
t token of a step, l token of a solution or of the store, m position of a prefix.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from procsup_jax.decode.draw import VocabTables
from procsup_jax.models import api
from procsup_jax.models.api import KV, DecoderParams
from procsup_jax.parallel import rules
from procsup_jax.searching import branch, judge, tree
from procsup_jax.searching.branch import Candidates, NewProblems, Prefixes
from procsup_jax.searching.judge import Judged
from procsup_jax.searching.tree import NewNodes, Tree


@dataclasses.dataclass(frozen=True)
class TreeProgram:
    """Hold everything static about a tree search.

    `width` nodes are expanded at a time, `num_expansions` at most; there is room for `num_nodes` nodes of `num_tokens`
    tokens in all, and for prompts of `policy_len` and `rm_len`.
    """

    steps: branch.Program
    is_beam: bool
    width: int
    num_expansions: int
    exploration: float
    num_nodes: int
    num_tokens: int
    policy_len: int
    rm_len: int


class Forest(NamedTuple):
    """Hold the state of b lanes, each with its tree.

    policy, rm: each model's store and the prompts' lengths; what the policy has of a node are its inputs, the newest
    token before the step and all of the step's but the last. last_b: the prompt's last token. key_bn2: nodes' random
    keys; step_bn: the automaton's states behind them. tokens_bl: the steps' tokens, as in the store. beam_bw: the nodes
    of the beam; next_bw: those to expand next (-1: none; a lane without one is done). policy_room_b, rm_room_b: how
    many tokens it may still sample, and read.
    """

    policy: Prefixes
    rm: Prefixes
    last_b: jax.Array
    key_bn2: jax.Array
    step_bn: jax.Array
    tokens_bl: jax.Array
    trees: Tree
    beam_bw: jax.Array
    next_bw: jax.Array
    policy_room_b: jax.Array
    rm_room_b: jax.Array


@functools.partial(jax.jit, static_argnames=("program", "lanes"))
def init_forest(program: TreeProgram, lanes: int) -> Forest:
    """Return idle lanes."""
    zero, steps = jnp.zeros(lanes, jnp.int32), program.steps
    forest = Forest(
        policy=Prefixes(api.init_kv(steps.policy, lanes, program.policy_len + program.num_tokens), zero),
        rm=Prefixes(api.init_kv(steps.rm, lanes, program.rm_len + program.num_tokens, steps.head), zero),
        last_b=zero,
        key_bn2=jnp.zeros((lanes, program.num_nodes, 2), jnp.uint32),
        step_bn=jnp.zeros((lanes, program.num_nodes), jnp.int32),
        tokens_bl=jnp.zeros((lanes, program.num_tokens), jnp.int32),
        trees=_empty_trees(program, lanes),
        beam_bw=jnp.zeros((lanes, program.width), jnp.int32) - 1,
        next_bw=jnp.zeros((lanes, program.width), jnp.int32) - 1,
        policy_room_b=zero,
        rm_room_b=zero,
    )
    return _pin(forest)


def _empty_trees(program: TreeProgram, lanes: int) -> Tree:
    return jax.tree.map(lambda a: jnp.broadcast_to(a, (lanes, *a.shape)), tree.init_tree(program.num_nodes))


@functools.partial(jax.jit, static_argnames=("program",), donate_argnames=("forest",))
def assign(
    program: TreeProgram,
    policy: DecoderParams,
    rm: DecoderParams,
    policy_budget: jax.Array,
    rm_budget: jax.Array,
    forest: Forest,
    new: NewProblems,
) -> Forest:
    """Read new problems into their lanes; the prompts count against the reward model's budget."""
    put = lambda old, value: old.at[new.row_r].set(value, mode="drop")  # noqa: E731
    _, policy_kv = api.prefill(program.steps.policy, policy, new.policy_tokens_rp, new.policy_len_r)
    _, rm_kv = api.prefill(program.steps.rm, rm, new.rm_tokens_rp, new.rm_len_r, head=program.steps.head)
    policy_kv = api.put_rows(program.steps.policy, forest.policy.kv, new.row_r, policy_kv)
    rm_kv = api.put_rows(program.steps.rm, forest.rm.kv, new.row_r, rm_kv)
    rm_room_r = rm_budget - new.rm_len_r
    root_w = jnp.where(jnp.arange(program.width) == 0, 0, -1)
    forest = forest._replace(
        policy=Prefixes(policy_kv, put(forest.policy.len_n, new.policy_len_r)),
        rm=Prefixes(rm_kv, put(forest.rm.len_n, new.rm_len_r)),
        last_b=put(forest.last_b, new.start_r),
        key_bn2=forest.key_bn2.at[new.row_r, 0].set(new.key_r2, mode="drop"),
        step_bn=forest.step_bn.at[new.row_r, 0].set(0, mode="drop"),
        trees=jax.tree.map(put, forest.trees, _empty_trees(program, new.row_r.shape[0])),
        beam_bw=put(forest.beam_bw, root_w),
        next_bw=put(forest.next_bw, root_w),
        policy_room_b=put(forest.policy_room_b, policy_budget),
        rm_room_b=put(forest.rm_room_b, rm_room_r),
    )
    return _pin(forest)


@functools.partial(jax.jit, static_argnames=("program",), donate_argnames=("forest",))
def advance(
    program: TreeProgram, policy: DecoderParams, rm: DecoderParams, tables: VocabTables, forest: Forest
) -> tuple[Forest, jax.Array]:
    """Expand nodes in every active lane; return also which lanes are still active, whole on every device."""
    node_bw = forest.next_bw
    policy_prefix, rm_prefix = prefixes(program, forest, node_bw)
    starts = _starts(forest, node_bw, policy_prefix)
    found = branch.sample_steps(program.steps, policy, tables, starts, forest.policy_room_b)
    judged = judge.judge(program.steps, rm, tables, rm_prefix, found, starts.active_n, forest.rm_room_b)
    forest, slot_bj, node_bj = _grow(program, forest, node_bw, found, judged)
    forest = _store(program, forest, found, judged, slot_bj, node_bj)
    by_lane = lambda a: a.reshape(node_bw.shape[0], -1)  # noqa: E731
    forest = forest._replace(
        policy_room_b=forest.policy_room_b - jnp.sum(by_lane(found.len_nk), -1),
        rm_room_b=forest.rm_room_b - jnp.sum(by_lane(judged.read_len_n), -1),
    )
    is_out_b = (forest.policy_room_b <= 0) | (forest.rm_room_b <= 0) | jnp.any(by_lane(judged.left_out_n), -1)
    is_out_b |= forest.trees.visits_n[:, 0] >= program.num_expansions
    goes_on_b1 = jnp.any(node_bw >= 0, -1, keepdims=True) & ~is_out_b[:, None]
    forest = forest._replace(next_bw=jnp.where(goes_on_b1, _choose(program, forest), -1))
    return _pin(forest), rules.constrain(jnp.any(forest.next_bw >= 0, -1), (None,))


def _choose(program: TreeProgram, forest: Forest) -> jax.Array:
    """Return the nodes to expand in each lane, int32 [b, w], -1 for none."""
    if program.is_beam:
        open_bw = jnp.take_along_axis(forest.trees.open_n, jnp.maximum(forest.beam_bw, 0), 1)
        return jnp.where(open_bw, forest.beam_bw, -1)
    return jax.vmap(lambda one: tree.select(one, program.exploration))(forest.trees)[:, None]


def prefixes(program: TreeProgram, forest: Forest, node_bw: jax.Array) -> tuple[Prefixes, Prefixes]:
    """Gather what the policy and the reward model have read on the way to each node, rows b * w; -1: anything."""
    num_tokens, max_steps = program.steps.max_tokens, program.steps.max_steps

    def places(one: Tree, node: jax.Array) -> jax.Array:
        return tree.token_places(one, tree.path(one, node, max_steps), num_tokens)

    place_bwl = jax.vmap(jax.vmap(places, (None, 0)))(forest.trees, node_bw)
    end_bw = _of_nodes(forest.trees.end_n, node_bw)

    def gather(store: Prefixes, prompt_len: int) -> Prefixes:
        position_m = jnp.arange(prompt_len + num_tokens)
        prompt_b11 = store.len_n[:, None, None]
        token_bwm = jnp.clip(position_m - prompt_b11, 0, num_tokens - 1)
        token_bwm = jnp.broadcast_to(token_bwm, (*end_bw.shape, position_m.shape[0]))
        step_bwm = prompt_b11 + jnp.take_along_axis(place_bwl, token_bwm, -1)
        len_bw = store.len_n[:, None] + end_bw
        step_bwm = jnp.where(position_m < len_bw[..., None], step_bwm, 0)
        kv = api.take_positions(store.kv, jnp.where(position_m < prompt_b11, position_m, step_bwm))
        return Prefixes(kv, len_bw.reshape(-1))

    return gather(forest.policy, program.policy_len), gather(forest.rm, program.rm_len)


def _starts(forest: Forest, node_bw: jax.Array, prefix: Prefixes) -> branch.Starts:
    start_bw, len_bw, end_bw = (
        _of_nodes(a, node_bw) for a in (forest.trees.start_n, forest.trees.len_n, forest.trees.end_n)
    )
    newest_bw = jnp.take_along_axis(forest.tokens_bl, jnp.maximum(start_bw + len_bw - 1, 0), 1)
    return branch.Starts(
        policy=prefix,
        start_n=jnp.where(node_bw > 0, newest_bw, forest.last_b[:, None]).reshape(-1),
        step_n=_of_nodes(forest.step_bn, node_bw).reshape(-1),
        key_n2=jnp.take_along_axis(forest.key_bn2, jnp.maximum(node_bw, 0)[..., None], 1).reshape(-1, 2),
        len_n=end_bw.reshape(-1),
        active_n=(node_bw >= 0).reshape(-1),
    )


def _grow(
    program: TreeProgram, forest: Forest, node_bw: jax.Array, found: Candidates, judged: Judged
) -> tuple[Forest, jax.Array, jax.Array]:
    """Add candidates to the trees and back their values up.

    Return also the candidates j of each lane that were added, in the nodes' order, and their nodes (-1: none).
    """
    b, w = node_bw.shape
    by_lane = lambda a: a.reshape(b, -1)  # noqa: E731
    k, parent_bw = found.len_nk.shape[1], jnp.maximum(node_bw, 0)
    distinct_nk = judged.possible_nk & (judged.first_nk == jnp.arange(k))
    share_nk = judge.shares(judged)
    end_n = _of_nodes(forest.trees.end_n, node_bw).reshape(-1, 1) + found.len_nk
    deep_n = _of_nodes(forest.trees.depth_n, node_bw).reshape(-1, 1) + 1 >= program.steps.max_steps
    is_full_n = end_n + len(program.steps.separator_ids) >= program.steps.max_tokens
    new = NewNodes(
        keep_k=by_lane(distinct_nk),
        parent_k=jnp.repeat(parent_bw, k, 1),
        prior_k=by_lane(share_nk),
        prob_k=by_lane(judged.prob_nk),
        open_k=by_lane(~found.final_nk & ~deep_n & ~is_full_n),
        final_k=by_lane(found.final_nk),
        len_k=by_lane(found.len_nk),
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
    start_bj = _of_nodes(forest.trees.start_n, node_bj)
    len_bj = jnp.where(node_bj >= 0, _of_nodes(forest.trees.len_n, node_bj), 0)
    place_bjt = jnp.where(jnp.arange(t) < len_bj[..., None], start_bj[..., None] + jnp.arange(t), program.num_tokens)
    tokens_bjt = jnp.take_along_axis(found.tokens_nkt.reshape(b, -1, t), slot_bj[..., None], 1)
    parent_bj = jnp.maximum(_of_nodes(forest.trees.parent_n, node_bj), 0)
    keys_bj2 = branch.child_keys(jnp.take_along_axis(forest.key_bn2, parent_bj[..., None], 1), slot_bj % k)
    step_bj = jnp.take_along_axis(found.step_nk.reshape(b, -1), slot_bj, 1)
    node_or_past = jnp.where(node_bj >= 0, node_bj, program.num_nodes)
    stores = (forest.policy.kv, forest.rm.kv)

    def keep(i: jax.Array, stores: tuple[KV, KV]) -> tuple[KV, KV]:
        slot_b, start_b, len_b = slot_bj[:, i], start_bj[:, i], len_bj[:, i]
        policy = api.commit(program.steps.policy, stores[0], forest.policy.len_n + start_b, found.suffix, slot_b, len_b)
        return policy, api.commit(program.steps.rm, stores[1], forest.rm.len_n + start_b, judged.suffix, slot_b, len_b)

    stores = jax.lax.fori_loop(0, jnp.max(jnp.sum(node_bj >= 0, -1)), keep, stores)
    return forest._replace(
        policy=forest.policy._replace(kv=stores[0]),
        rm=forest.rm._replace(kv=stores[1]),
        tokens_bl=forest.tokens_bl.at[lane_b1[..., None], place_bjt].set(tokens_bjt, mode="drop"),
        key_bn2=forest.key_bn2.at[lane_b1, node_or_past].set(keys_bj2, mode="drop"),
        step_bn=forest.step_bn.at[lane_b1, node_or_past].set(step_bj, mode="drop"),
    )


def _of_nodes(a_bn: jax.Array, node_bx: jax.Array) -> jax.Array:
    """Look nodes' numbers up; those of node -1 are the root's."""
    return jnp.take_along_axis(a_bn, jnp.maximum(node_bx, 0), 1)


@functools.partial(jax.jit, static_argnames=("program",))
def results(program: TreeProgram, forest: Forest) -> tuple[jax.Array, ...]:
    """Return each lane's best solution, whole on every device.

    That is, its tokens [b, l] and how many, its steps and their probabilities [b, s]; then the tokens not sampled and
    not read of the budgets, the nodes of the tree, and how many of them were expanded.
    """

    def one(found: Tree, tokens_l: jax.Array) -> tuple[jax.Array, ...]:
        node = tree.best(found)
        path_s = tree.path(found, node, program.steps.max_steps)
        place_l = tree.token_places(found, path_s, program.steps.max_tokens)
        out_l = tokens_l[jnp.clip(place_l, 0, program.num_tokens - 1)]
        return out_l, found.end_n[node], found.depth_n[node], found.prob_n[path_s[1:]]

    fields = jax.vmap(one)(forest.trees, forest.tokens_bl)
    fields += (forest.policy_room_b, forest.rm_room_b, forest.trees.size, forest.trees.visits_n[:, 0])
    return jax.tree.map(lambda a: rules.constrain(a, (None,) * a.ndim), fields)


def _pin(forest: Forest) -> Forest:
    """Shard every array over its lanes, so that the programs hand each other one layout."""
    return jax.tree.map(lambda a: rules.constrain(a, ("batch",) + (None,) * (a.ndim - 1)), forest)
