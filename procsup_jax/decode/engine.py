"""The compiled half of decoding: lanes of slots that write samples until some lanes have all of theirs.

A lane owns one problem: its prompt's keys and values, kept once, and g slots with only their own suffix. A finished
slot takes the lane's next sample inside the loop. The prompt's last token is kept out of the prefix and fed as each
sample's first input, so that starting a sample is no special case. Axis letters: n lane, g slot of a lane, k sample.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from procsup_jax.decode import automaton, draw
from procsup_jax.decode.calculator import loop as calculator
from procsup_jax.decode.calculator.loop import CalculatorState
from procsup_jax.decode.draw import VocabTables
from procsup_jax.decode.settings import DecodeSettings
from procsup_jax.models import api
from procsup_jax.models.api import KV, DecoderParams, ModelConfig
from procsup_jax.parallel import rules, split


@dataclasses.dataclass(frozen=True)
class Program:
    """Hold everything static about a decoding program; how many samples are written shows in the arrays alone."""

    config: ModelConfig
    settings: DecodeSettings


class Lanes(NamedTuple):
    """Hold the state of n lanes with g slots and room for k samples each.

    num_n: how many samples to write, at most k; greedy_n: which of them is greedy, -1 for none. sample_ng: the sample
    a slot writes, k when it has none; count_ng: how many tokens of it are written; token_ng: the
    last of them (or the prompt's last); step_ng: the automaton's state in the current step; next_sample_n: the next one
    to start. Results: out_nkt the tokens, len_nk how many so far, logprob_nk, stopped_nk (ended before the limit).
    """

    prefix: KV
    prefix_len_n: jax.Array
    start_n: jax.Array
    key_n2: jax.Array
    num_n: jax.Array
    greedy_n: jax.Array
    next_sample_n: jax.Array
    sample_ng: jax.Array
    count_ng: jax.Array
    token_ng: jax.Array
    step_ng: jax.Array
    logprob_ng: jax.Array
    suffix: KV
    calculator: CalculatorState
    out_nkt: jax.Array
    len_nk: jax.Array
    logprob_nk: jax.Array
    stopped_nk: jax.Array


class Shared(NamedTuple):
    """Hold what stands before every prompt, read once: its cache, of one row and a lane's capacity, and its length."""

    prefix: KV
    len_1: jax.Array


class NewPrompts(NamedTuple):
    """Hold prompts to put into lanes: row_r the lanes (n: none), tokens without the last one, and that one.

    key_r2 is the raw random key of each problem; num_samples, greedy: num_n and greedy_n of their lanes.
    """

    row_r: jax.Array
    tokens_rp: jax.Array
    len_r: jax.Array
    start_r: jax.Array
    key_r2: jax.Array
    num_samples: jax.Array
    greedy: jax.Array


def swap_size(lanes: int) -> int:
    """Return how many prompts are read at a time: of more, lanes wait for each other; one by one is slower to read."""
    return max(1, lanes // 8)


@functools.partial(jax.jit, static_argnames=("program", "lanes", "slots", "prefix_len", "room"))
def init_lanes(program: Program, lanes: int, slots: int, prefix_len: int, room: int) -> Lanes:
    """Return lanes without a problem, with room for prefixes of so many tokens and for so many samples each."""
    config, k, t = program.config, room, program.settings.max_new_tokens
    per_lane, per_slot = jnp.zeros(lanes, jnp.int32), jnp.zeros((lanes, slots), jnp.int32)
    state = Lanes(
        prefix=api.init_kv(config, lanes, prefix_len),
        prefix_len_n=per_lane,
        start_n=per_lane,
        key_n2=jnp.zeros((lanes, 2), jnp.uint32),
        num_n=per_lane,
        greedy_n=per_lane - 1,
        next_sample_n=per_lane,
        sample_ng=per_slot + k,
        count_ng=per_slot,
        token_ng=per_slot,
        step_ng=automaton.init_state((lanes, slots)),
        logprob_ng=per_slot.astype(jnp.float32),
        suffix=api.init_kv(config, lanes * slots, t),
        calculator=calculator.init_state((lanes, slots)),
        out_nkt=jnp.zeros((lanes, k, t), jnp.int32),
        len_nk=jnp.zeros((lanes, k), jnp.int32),
        logprob_nk=jnp.zeros((lanes, k), jnp.float32),
        stopped_nk=jnp.zeros((lanes, k), bool),
    )
    return _pin(state)


@functools.partial(jax.jit, static_argnames=("program", "prefix_len"))
def read_shared(
    program: Program, dparams: DecoderParams, tokens_1p: jax.Array, len_1: jax.Array, prefix_len: int
) -> Shared:
    """Read what stands before every prompt, for lanes with room for prefixes of so many tokens."""
    return Shared(api.prefill(program.config, dparams, tokens_1p, len_1, capacity=prefix_len)[1], len_1)


@functools.partial(jax.jit, static_argnames=("program",), donate_argnames=("state",))
def assign(
    program: Program, dparams: DecoderParams, state: Lanes, new: NewPrompts, shared: Shared | None = None
) -> Lanes:
    """Read new prompts, which go on from what they share, into their lanes and start the first samples of each."""
    (n, g), k = state.sample_ng.shape, state.len_nk.shape[1]
    kv, len_r = _read_prompts(program.config, dparams, new, shared)
    put = lambda old, value: old.at[new.row_r].set(value, mode="drop")  # noqa: E731
    is_new_n = put(jnp.zeros(n, bool), True)
    start_r1 = new.start_r[:, None]
    state = state._replace(
        prefix=api.put_rows(state.prefix, new.row_r, kv),
        prefix_len_n=put(state.prefix_len_n, len_r),
        start_n=put(state.start_n, new.start_r),
        key_n2=put(state.key_n2, new.key_r2),
        num_n=put(state.num_n, new.num_samples),
        greedy_n=put(state.greedy_n, new.greedy),
        next_sample_n=put(state.next_sample_n, jnp.minimum(g, new.num_samples)),
        sample_ng=put(state.sample_ng, jnp.where(jnp.arange(g) < new.num_samples, jnp.arange(g), k)),
        count_ng=put(state.count_ng, 0),
        token_ng=put(state.token_ng, jnp.broadcast_to(start_r1, (*new.row_r.shape, g))),
        step_ng=put(state.step_ng, 0),
        logprob_ng=put(state.logprob_ng, 0.0),
        calculator=calculator.reset(state.calculator, jnp.broadcast_to(is_new_n[:, None], (n, g))),
        len_nk=put(state.len_nk, 0),
    )
    return _pin(state)


def _read_prompts(
    config: ModelConfig, dparams: DecoderParams, new: NewPrompts, shared: Shared | None
) -> tuple[KV, jax.Array]:
    """Return the prompts' caches, one row each, and how many tokens they hold."""
    if shared is None:
        return api.prefill(config, dparams, new.tokens_rp, new.len_r)[1], new.len_r

    def read(whole: tuple[DecoderParams, Shared], rows: tuple[jax.Array, jax.Array]) -> tuple[KV, jax.Array]:
        (dparams, shared), (tokens_rp, len_r) = whole, rows
        r, p = tokens_rp.shape
        # One lane, whose slots are the prompts.
        own, none_1r = api.init_kv(config, r, p), jnp.zeros((1, r), jnp.int32)
        _, own = api.extend(config, dparams, tokens_rp[None], shared.prefix, shared.len_1, own, none_1r)
        before, before_len_r = api.take_rows(shared.prefix, none_1r[0]), jnp.repeat(shared.len_1, r)
        return api.commit(before, before_len_r, own, none_1r[0], len_r), before_len_r + len_r

    kv, len_r = split.over_rows(read, (dparams, shared), (new.tokens_rp, new.len_r))
    return kv, len_r


@functools.partial(jax.jit, static_argnames=("program",), donate_argnames=("state",))
def run(
    program: Program,
    dparams: DecoderParams,
    tables: VocabTables,
    state: Lanes,
    first_sample: jax.Array,
    min_idle: jax.Array,
    max_steps: jax.Array,
) -> tuple[Lanes, jax.Array]:
    """Write tokens until `min_idle` lanes are out of samples or `max_steps` are done.

    Return also how many slots of each lane are busy. Sample j of a lane is the problem's sample `first_sample` + j.
    """
    busy = lambda state: jnp.sum(state.sample_ng < state.len_nk.shape[1], -1)  # noqa: E731

    def write(whole: tuple[DecoderParams, VocabTables, jax.Array, jax.Array, jax.Array], state: Lanes) -> Lanes:
        dparams, tables, first_sample, min_idle, max_steps = whole

        def go_on(carry: tuple[jax.Array, Lanes]) -> jax.Array:
            step, state = carry
            return (step < max_steps) & (split.total(jnp.sum(busy(state) == 0)) < min_idle)

        def body(carry: tuple[jax.Array, Lanes]) -> tuple[jax.Array, Lanes]:
            step, state = carry
            return step + 1, _step(program, dparams, tables, state, first_sample)

        return split.repeat(go_on, body, (jnp.int32(0), state))[1]

    axes = lane_axes(state)
    whole = dparams, tables, first_sample, min_idle, max_steps
    state = split.over_batch(write, whole, state, axes, axes)
    return _pin(state), rules.constrain(busy(state), (None,))


@jax.jit
def results(state: Lanes) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Return tokens, lengths, log-probabilities and stops of all lanes' samples, whole on every device."""
    whole = lambda array: rules.constrain(array, (None,) * array.ndim)  # noqa: E731
    return whole(state.out_nkt), whole(state.len_nk), whole(state.logprob_nk), whole(state.stopped_nk)


def _step(
    program: Program, dparams: DecoderParams, tables: VocabTables, state: Lanes, first_sample: jax.Array
) -> Lanes:
    """Write one token in every slot."""
    hidden, suffix = api.extend(
        program.config,
        dparams,
        state.token_ng[..., None],
        state.prefix,
        state.prefix_len_n,
        state.suffix,
        state.count_ng,
    )
    logits_ngv = api.unembed(program.config, dparams, hidden[:, :, 0])
    keys_ng = draw.token_keys(state.key_n2, first_sample + state.sample_ng, state.count_ng)
    greedy_ng = state.sample_ng == state.greedy_n[:, None]
    token, logprob = draw.draw(program.settings, tables, logits_ngv, keys_ng, greedy_ng)
    state = state._replace(suffix=suffix)
    if tables.calculator is not None:
        token, forced = calculator.force(state.calculator, token)
        logprob = jnp.where(forced, 0.0, logprob)
        state = state._replace(calculator=calculator.advance(tables.calculator, state.calculator, token))
    return _refill(*_record(program, tables, state, token, logprob))


def _record(
    program: Program, tables: VocabTables, state: Lanes, token_ng: jax.Array, logprob_ng: jax.Array
) -> tuple[Lanes, jax.Array]:
    """Write the new tokens into the results; return also which slots are free (those write nothing)."""
    lane_n1 = jnp.arange(token_ng.shape[0])[:, None]
    count_ng, logprob_ng = state.count_ng + 1, state.logprob_ng + logprob_ng
    step_ng, events = automaton.advance(tables.automaton, state.step_ng, token_ng)
    ends_ng = events.solution_ends if program.settings.stop == "solution" else events.step_ends
    stopped_ng = ends_ng | tables.ends_v[token_ng]
    put = lambda old, value: old.at[lane_n1, state.sample_ng].set(value, mode="drop")  # noqa: E731
    free_ng = (state.sample_ng >= state.len_nk.shape[1]) | stopped_ng
    free_ng |= count_ng >= program.settings.max_new_tokens
    state = state._replace(
        count_ng=count_ng,
        logprob_ng=logprob_ng,
        token_ng=token_ng,
        step_ng=step_ng,
        out_nkt=state.out_nkt.at[lane_n1, state.sample_ng, state.count_ng].set(token_ng, mode="drop"),
        len_nk=put(state.len_nk, count_ng),
        logprob_nk=put(state.logprob_nk, logprob_ng),
        stopped_nk=put(state.stopped_nk, stopped_ng),
    )
    return state, free_ng


def _refill(state: Lanes, free_ng: jax.Array) -> Lanes:
    """Give free slots their lane's next samples, in slot order."""
    k = state.len_nk.shape[1]
    next_ng = state.next_sample_n[:, None] + jnp.cumsum(free_ng, -1, dtype=jnp.int32) - 1
    return state._replace(
        next_sample_n=jnp.minimum(state.next_sample_n + jnp.sum(free_ng, -1, dtype=jnp.int32), state.num_n),
        sample_ng=jnp.where(free_ng, jnp.where(next_ng < state.num_n[:, None], next_ng, k), state.sample_ng),
        count_ng=jnp.where(free_ng, 0, state.count_ng),
        token_ng=jnp.where(free_ng, state.start_n[:, None], state.token_ng),
        step_ng=automaton.reset(state.step_ng, free_ng),
        logprob_ng=jnp.where(free_ng, 0.0, state.logprob_ng),
        calculator=calculator.reset(state.calculator, free_ng),
    )


def lane_axes(state: Lanes) -> Lanes:
    """Return the logical axes of each array of a state; of what calculators have read the lanes come last but one."""
    axes: Lanes = api.state_axes(state)
    reading = jax.tree.map(lambda a: (None,) * (a.ndim - 2) + ("batch", None), state.calculator.reading)
    return axes._replace(calculator=CalculatorState(reading, axes.calculator.queue_f))


def _pin(state: Lanes) -> Lanes:
    """Shard every array over its lanes, so that the programs hand each other one layout."""
    return rules.constrain_tree(state, lane_axes(state))
