"""The greedy search's compiled half: one candidate chosen a step, its keys and values appended to both prefixes.

Axis letters: n lane (a problem), k candidate, t token of a step, s step, l token of a solution.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from procsup_jax.decode import automaton
from procsup_jax.decode.draw import VocabTables
from procsup_jax.models import api
from procsup_jax.models.api import DecoderParams
from procsup_jax.parallel import rules, split
from procsup_jax.parallel.streams import calling
from procsup_jax.searching import anew, branch, judge
from procsup_jax.searching.anew import Reader
from procsup_jax.searching.branch import Candidates, NewProblems, Prefixes, Program
from procsup_jax.searching.judge import Judged, ReadSteps

Choose = Callable[[jax.Array, jax.Array], jax.Array]


def highest(prob_nk: jax.Array, possible_nk: jax.Array) -> jax.Array:
    """Choose the candidate of highest probability, the first at ties, among those possible; int32 [n]."""
    return jnp.argmax(jnp.where(possible_nk, prob_nk, -1.0), -1).astype(jnp.int32)


class Search(NamedTuple):
    """Hold the state of n lanes.

    policy, rm: what each model has read; the policy's lacks the newest token, start_n, which is its next input; step_n:
    the automaton's state behind that. active_n: the lane is still searching. Results so far: out_nl the solution's
    tokens, len_n how many; num_steps_n and prob_ns the chosen steps' probabilities; prob_nsk all candidates' (-1: not
    scored); spent_n tokens sampled, read_n tokens that the reward model read, the prompt included.
    """

    policy: Prefixes
    rm: Prefixes
    start_n: jax.Array
    step_n: jax.Array
    key_n2: jax.Array
    active_n: jax.Array
    out_nl: jax.Array
    len_n: jax.Array
    num_steps_n: jax.Array
    prob_ns: jax.Array
    prob_nsk: jax.Array
    spent_n: jax.Array
    read_n: jax.Array


@functools.partial(jax.jit, static_argnames=("program", "lanes", "policy_len", "rm_len"))
def init_search(program: Program, lanes: int, policy_len: int, rm_len: int) -> Search:
    """Return idle lanes with room for prompts of these lengths."""
    zero, k, s = jnp.zeros(lanes, jnp.int32), program.sampling.num_samples, program.max_steps
    state = Search(
        policy=Prefixes(api.init_kv(program.policy, lanes, policy_len + program.max_tokens), zero),
        rm=Prefixes(api.init_kv(program.rm, lanes, rm_len + program.rm_max_tokens, program.head), zero),
        start_n=zero,
        step_n=automaton.init_state((lanes,)),
        key_n2=jnp.zeros((lanes, 2), jnp.uint32),
        active_n=zero > 0,
        out_nl=jnp.zeros((lanes, program.max_tokens), jnp.int32),
        len_n=zero,
        num_steps_n=zero,
        prob_ns=jnp.zeros((lanes, s)),
        prob_nsk=jnp.zeros((lanes, s, k)),
        spent_n=zero,
        read_n=zero,
    )
    return _pin(state)


@functools.partial(jax.jit, static_argnames=("program",), donate_argnames=("state",))
def assign(program: Program, policy: DecoderParams, rm: DecoderParams, state: Search, new: NewProblems) -> Search:
    """Read new problems into their lanes."""
    put = lambda old, value: old.at[new.row_r].set(value, mode="drop")  # noqa: E731
    _, policy_kv = api.prefill(program.policy, policy, new.policy_tokens_rp, new.policy_len_r)
    _, rm_kv = api.prefill(program.rm, rm, new.rm_tokens_rp, new.rm_len_r, head=program.head)
    policy_kv = api.put_rows(state.policy.kv, new.row_r, policy_kv)
    rm_kv = api.put_rows(state.rm.kv, new.row_r, rm_kv)
    state = state._replace(
        policy=Prefixes(policy_kv, put(state.policy.len_n, new.policy_len_r)),
        rm=Prefixes(rm_kv, put(state.rm.len_n, new.rm_len_r)),
        start_n=put(state.start_n, new.start_r),
        step_n=put(state.step_n, 0),
        key_n2=put(state.key_n2, new.key_r2),
        active_n=put(state.active_n, True),
        len_n=put(state.len_n, 0),
        num_steps_n=put(state.num_steps_n, 0),
        prob_nsk=put(state.prob_nsk, -1.0),
        spent_n=put(state.spent_n, 0),
        read_n=put(state.read_n, new.rm_len_r),
    )
    return _pin(state)


@functools.partial(jax.jit, static_argnames=("program", "choose"), donate_argnames=("state",))
def advance(
    program: Program, choose: Choose, policy: DecoderParams, rm: DecoderParams, tables: VocabTables, state: Search
) -> tuple[Search, jax.Array]:
    """Take one step in every active lane; return also which lanes are still active, whole on every device."""

    def step(whole: tuple[DecoderParams, DecoderParams, VocabTables], state: Search) -> Search:
        policy, rm, tables = whole
        found = _sample(program, policy, tables, state)
        return _take(program, choose, rm, state, found, judge.as_written(program, tables, found))

    axes = api.state_axes(state)
    return _pinned(split.over_batch(step, (policy, rm, tables), state, axes, axes))


def advance_anew(
    reader: Reader, choose: Choose, policy: DecoderParams, rm: DecoderParams, tables: VocabTables, state: Search
) -> tuple[Search, jax.Array]:
    """Do what `advance` does, for a reward model of other tokens: its steps are encoded on the host, between two calls.

    `parallel.streams.calling` must not be held.
    """
    with calling:
        found, written = _sample_for_host(reader.program, policy, tables, state)
    steps = reader.read(written)
    with calling:
        return _take_read(reader.program, choose, rm, state, found, steps)


def _sample(program: Program, policy: DecoderParams, tables: VocabTables, state: Search) -> Candidates:
    starts = branch.Starts(state.policy, state.start_n, state.step_n, state.key_n2, state.len_n, state.active_n)
    return branch.sample_steps(program, policy, tables, starts)


@functools.partial(jax.jit, static_argnames=("program",))
def _sample_for_host(
    program: Program, policy: DecoderParams, tables: VocabTables, state: Search
) -> tuple[Candidates, anew.Written]:
    def sample(whole: tuple[DecoderParams, VocabTables], state: Search) -> Candidates:
        return _sample(program, *whole, state)

    shapes = jax.eval_shape(sample, (policy, tables), state)
    found = split.over_batch(sample, (policy, tables), state, api.state_axes(state), api.state_axes(shapes))
    return found, anew.written(state.out_nl, state.len_n, found, state.active_n, state.rm.len_n)


def _take(
    program: Program, choose: Choose, rm: DecoderParams, state: Search, found: Candidates, steps: ReadSteps
) -> Search:
    """Judge the candidates and append those chosen."""
    judged = judge.judge(program, rm, state.rm, found, steps, state.active_n)
    return _commit(program, choose, state, found, steps, judged)


@functools.partial(jax.jit, static_argnames=("program", "choose"), donate_argnames=("state",))
def _take_read(
    program: Program, choose: Choose, rm: DecoderParams, state: Search, found: Candidates, steps: ReadSteps
) -> tuple[Search, jax.Array]:
    axes = api.state_axes(state)
    take = lambda rm, parts: _take(program, choose, rm, *parts)  # noqa: E731
    parts_axes = axes, api.state_axes(found), judge.STEPS_AXES
    return _pinned(split.over_batch(take, rm, (state, found, steps), parts_axes, axes))


def _pinned(state: Search) -> tuple[Search, jax.Array]:
    return _pin(state), rules.constrain(state.active_n, (None,))


def _commit(
    program: Program, choose: Choose, state: Search, found: Candidates, steps: ReadSteps, judged: Judged
) -> Search:
    """Append the chosen candidates; a lane without a possible one (all are blank) ends as it is."""
    choice_n = choose(judged.prob_nk, judged.possible_nk)
    # Of equal candidates the reward model has read the first.
    choice_n = jnp.take_along_axis(judged.first_nk, choice_n[:, None], 1)[:, 0]
    of_choice = lambda a: jnp.take_along_axis(a, choice_n.reshape(-1, *[1] * (a.ndim - 1)), 1)[:, 0]  # noqa: E731
    takes_n = of_choice(judged.possible_nk)
    take_n, read_n = (jnp.where(takes_n, of_choice(len_nk), 0) for len_nk in (found.len_nk, steps.len_nk))
    t = jnp.arange(found.tokens_nkt.shape[2])
    lane_n, step_n = jnp.arange(take_n.shape[0]), jnp.where(takes_n, state.num_steps_n, program.max_steps)
    place_nt = jnp.where(t < take_n[:, None], state.len_n[:, None] + t, program.max_tokens)
    tokens_nt = of_choice(found.tokens_nkt)
    newest_n = jnp.take_along_axis(tokens_nt, jnp.maximum(take_n - 1, 0)[:, None], 1)[:, 0]
    policy_kv = api.commit(*state.policy, found.suffix, choice_n, take_n)
    rm_kv = api.commit(*state.rm, judged.suffix, choice_n, read_n)
    len_n, num_steps_n = state.len_n + take_n, state.num_steps_n + takes_n
    is_full_n = len_n + len(program.separator_ids) >= program.max_tokens
    ends_n = of_choice(found.final_nk) | (num_steps_n >= program.max_steps) | is_full_n
    scored_nk = jnp.where(judged.possible_nk, judged.prob_nk, -1.0)
    return Search(
        policy=Prefixes(policy_kv, state.policy.len_n + take_n),
        rm=Prefixes(rm_kv, state.rm.len_n + read_n),
        start_n=jnp.where(takes_n, newest_n, state.start_n),
        step_n=jnp.where(takes_n, of_choice(found.step_nk), state.step_n),
        key_n2=state.key_n2,
        active_n=takes_n & ~ends_n,
        out_nl=state.out_nl.at[lane_n[:, None], place_nt].set(tokens_nt, mode="drop"),
        len_n=len_n,
        num_steps_n=num_steps_n,
        prob_ns=state.prob_ns.at[lane_n, step_n].set(of_choice(judged.prob_nk), mode="drop"),
        prob_nsk=state.prob_nsk.at[lane_n, step_n].set(scored_nk, mode="drop"),
        spent_n=state.spent_n + jnp.sum(found.len_nk, -1),
        read_n=state.read_n + judged.read_len_n,
    )


@jax.jit
def results(state: Search) -> tuple[jax.Array, ...]:
    """Return out_nl, len_n, num_steps_n, prob_ns, prob_nsk, spent_n, read_n, whole on every device."""
    fields = (
        state.out_nl, state.len_n, state.num_steps_n, state.prob_ns, state.prob_nsk, state.spent_n, state.read_n
    )  # fmt: skip
    return jax.tree.map(lambda a: rules.constrain(a, (None,) * a.ndim), fields)


def _pin(state: Search) -> Search:
    """Shard every array over its lanes, so that the programs hand each other one layout."""
    return rules.constrain_tree(state, api.state_axes(state))
