"""The state of tree searches: each lane's tree, and what both models have read of it.

Each lane has one store for each model: the keys and values of its prompt and, behind them, of each node's own step, in
the order of the nodes, as many as the model has tokens of it. To go on from a node, its path's are gathered into a
prefix (a copy, no model work), so that steps are shared by all that goes on from them and no token is read twice.
Axis letters: b lane (a problem), n node, w node expanded at a time, t token of a step, l token of a solution or of the
store, m position of a prefix.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from procsup_jax.models import api
from procsup_jax.models.api import DecoderParams
from procsup_jax.parallel import rules
from procsup_jax.searching import branch, tree
from procsup_jax.searching.branch import NewProblems, Prefixes
from procsup_jax.searching.tree import Spans, Tree


@dataclasses.dataclass(frozen=True)
class TreeProgram:
    """Hold everything static about a tree search.

    `width` nodes are expanded at a time, `num_expansions` at most; there is room for `num_nodes` nodes of `num_tokens`
    tokens in all, `rm_num_tokens` as the reward model reads them, and for prompts of `policy_len` and `rm_len`.
    """

    steps: branch.Program
    is_beam: bool
    width: int
    num_expansions: int
    exploration: float
    num_nodes: int
    num_tokens: int
    rm_num_tokens: int
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
        rm=Prefixes(api.init_kv(steps.rm, lanes, program.rm_len + program.rm_num_tokens, steps.head), zero),
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
    return pin(forest)


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
    policy_kv = api.put_rows(forest.policy.kv, new.row_r, policy_kv)
    rm_kv = api.put_rows(forest.rm.kv, new.row_r, rm_kv)
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
    return pin(forest)


def prefixes(program: TreeProgram, forest: Forest, node_bw: jax.Array) -> tuple[Prefixes, Prefixes]:
    """Gather what the policy and the reward model have read on the way to each node, rows b * w; -1: anything."""
    steps = program.steps

    def gather(store: Prefixes, spans: Spans, prompt_len: int, num_tokens: int) -> Prefixes:
        def places(one: Tree, of_one: Spans, node: jax.Array) -> jax.Array:
            return tree.token_places(of_one, tree.path(one, node, steps.max_steps), num_tokens)

        place_bwl = jax.vmap(jax.vmap(places, (None, None, 0)))(forest.trees, spans, node_bw)
        end_bw = of_nodes(spans.end_n, node_bw)
        position_m = jnp.arange(prompt_len + num_tokens)
        prompt_b11 = store.len_n[:, None, None]
        token_bwm = jnp.clip(position_m - prompt_b11, 0, num_tokens - 1)
        token_bwm = jnp.broadcast_to(token_bwm, (*end_bw.shape, position_m.shape[0]))
        step_bwm = prompt_b11 + jnp.take_along_axis(place_bwl, token_bwm, -1)
        len_bw = store.len_n[:, None] + end_bw
        step_bwm = jnp.where(position_m < len_bw[..., None], step_bwm, 0)
        kv = api.take_positions(store.kv, jnp.where(position_m < prompt_b11, position_m, step_bwm))
        return Prefixes(kv, len_bw.reshape(-1))

    return (
        gather(forest.policy, forest.trees.written, program.policy_len, steps.max_tokens),
        gather(forest.rm, forest.trees.read, program.rm_len, steps.rm_max_tokens),
    )


def path_tokens(program: TreeProgram, of_one: Tree, tokens_l: jax.Array, path_s: jax.Array) -> jax.Array:
    """Return the policy's tokens of a path in one tree, int32 [program.steps.max_tokens]."""
    place_l = tree.token_places(of_one.written, path_s, program.steps.max_tokens)
    return tokens_l[jnp.clip(place_l, 0, program.num_tokens - 1)]


@functools.partial(jax.jit, static_argnames=("program",))
def results(program: TreeProgram, forest: Forest) -> tuple[jax.Array, ...]:
    """Return each lane's best solution, whole on every device.

    That is, its tokens [b, l] and how many, its steps and their probabilities [b, s]; then the tokens not sampled and
    not read of the budgets, the nodes of the tree, and how many of them were expanded.
    """

    def one(found: Tree, tokens_l: jax.Array) -> tuple[jax.Array, ...]:
        node = tree.best(found)
        path_s = tree.path(found, node, program.steps.max_steps)
        out_l = path_tokens(program, found, tokens_l, path_s)
        return out_l, found.written.end_n[node], found.depth_n[node], found.prob_n[path_s[1:]]

    fields = jax.vmap(one)(forest.trees, forest.tokens_bl)
    fields += (forest.policy_room_b, forest.rm_room_b, forest.trees.size, forest.trees.visits_n[:, 0])
    return jax.tree.map(lambda a: rules.constrain(a, (None,) * a.ndim), fields)


def of_nodes(a_bn: jax.Array, node_bx: jax.Array) -> jax.Array:
    """Look nodes' numbers up; those of node -1 are the root's."""
    return jnp.take_along_axis(a_bn, jnp.maximum(node_bx, 0), 1)


def pin(forest: Forest) -> Forest:
    """Shard every array over its lanes, so that the programs hand each other one layout."""
    return rules.constrain_tree(forest, api.state_axes(forest))
