"""Branch, score, commit: one step of reasoning for many problems at once, from cached prefixes.

From a lane's prefix the policy samples K candidate next steps; the reward model reads only their new tokens, on its own
cached prefix; one candidate is chosen, and its keys and values are appended to both prefixes. No token's are computed
twice by either model. Axis letters: n lane (a problem), k candidate, t token of a step, s step, l token of a solution.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from procsup_jax.decode import calculator, engine
from procsup_jax.decode.engine import VocabTables
from procsup_jax.decode.settings import DecodeSettings
from procsup_jax.models import api
from procsup_jax.models.api import KV, DecoderParams, ModelConfig
from procsup_jax.parallel import rules

Choose = Callable[[jax.Array, jax.Array], jax.Array]


def highest(prob_nk: jax.Array, possible_nk: jax.Array) -> jax.Array:
    """Choose the candidate of highest probability, the first at ties, among those possible; int32 [n]."""
    return jnp.argmax(jnp.where(possible_nk, prob_nk, -1.0), -1).astype(jnp.int32)


@dataclasses.dataclass(frozen=True)
class Program:
    """Hold everything static about a round; `sampling.max_new_tokens` bounds a step, `max_tokens` the solution."""

    policy: ModelConfig
    rm: ModelConfig
    sampling: DecodeSettings
    choose: Choose
    max_steps: int
    max_tokens: int
    eos_id: int
    sep_id: int
    marker_id: int
    correct_id: int
    incorrect_id: int


class Tables(NamedTuple):
    """Hold the vocabulary's tables; blank_v: the token holds no visible character."""

    vocab: VocabTables
    blank_v: jax.Array


class Prefixes(NamedTuple):
    """Hold one model's cached prefixes."""

    kv: KV
    len_n: jax.Array


class Search(NamedTuple):
    """Hold the state of n lanes.

    policy, rm: what each model has read; the policy's lacks the newest token, start_n, which is its next input.
    active_n: the lane is still searching. Results so far: out_nl the solution's tokens, len_n how many; num_steps_n and
    prob_ns the chosen steps' probabilities; prob_nsk all candidates' (-1: not scored); spent_n tokens sampled.
    """

    policy: Prefixes
    rm: Prefixes
    start_n: jax.Array
    key_n2: jax.Array
    active_n: jax.Array
    out_nl: jax.Array
    len_n: jax.Array
    num_steps_n: jax.Array
    prob_ns: jax.Array
    prob_nsk: jax.Array
    spent_n: jax.Array


class NewProblems(NamedTuple):
    """Hold problems to put into lanes row_r (n: none): the policy's prompt without its last token, that, the RM's."""

    row_r: jax.Array
    policy_tokens_rp: jax.Array
    policy_len_r: jax.Array
    start_r: jax.Array
    rm_tokens_rp: jax.Array
    rm_len_r: jax.Array
    key_r2: jax.Array


class _Candidates(NamedTuple):
    """Hold candidate steps, their end tokens included, and what ends the solution."""

    tokens_nkt: jax.Array
    len_nk: jax.Array
    final_nk: jax.Array
    suffix: KV


@functools.partial(jax.jit, static_argnames=("program", "lanes", "policy_len", "rm_len"))
def init_search(program: Program, lanes: int, policy_len: int, rm_len: int) -> Search:
    """Return idle lanes with room for prompts of these lengths."""
    zero, k, s = jnp.zeros(lanes, jnp.int32), program.sampling.num_samples, program.max_steps
    state = Search(
        policy=Prefixes(api.init_kv(program.policy, lanes, policy_len + program.max_tokens), zero),
        rm=Prefixes(api.init_kv(program.rm, lanes, rm_len + program.max_tokens), zero),
        start_n=zero,
        key_n2=jnp.zeros((lanes, 2), jnp.uint32),
        active_n=zero > 0,
        out_nl=jnp.zeros((lanes, program.max_tokens), jnp.int32),
        len_n=zero,
        num_steps_n=zero,
        prob_ns=jnp.zeros((lanes, s)),
        prob_nsk=jnp.zeros((lanes, s, k)),
        spent_n=zero,
    )
    return _pin(state)


@functools.partial(jax.jit, static_argnames=("program",), donate_argnames=("state",))
def assign(program: Program, policy: DecoderParams, rm: DecoderParams, state: Search, new: NewProblems) -> Search:
    """Read new problems into their lanes."""
    put = lambda old, value: old.at[new.row_r].set(value, mode="drop")  # noqa: E731
    _, policy_kv = api.prefill(program.policy, policy, new.policy_tokens_rp, new.policy_len_r)
    _, rm_kv = api.prefill(program.rm, rm, new.rm_tokens_rp, new.rm_len_r)
    policy_kv = api.put_rows(program.policy, state.policy.kv, new.row_r, policy_kv)
    rm_kv = api.put_rows(program.rm, state.rm.kv, new.row_r, rm_kv)
    state = state._replace(
        policy=Prefixes(policy_kv, put(state.policy.len_n, new.policy_len_r)),
        rm=Prefixes(rm_kv, put(state.rm.len_n, new.rm_len_r)),
        start_n=put(state.start_n, new.start_r),
        key_n2=put(state.key_n2, new.key_r2),
        active_n=put(state.active_n, True),
        len_n=put(state.len_n, 0),
        num_steps_n=put(state.num_steps_n, 0),
        prob_nsk=put(state.prob_nsk, -1.0),
        spent_n=put(state.spent_n, 0),
    )
    return _pin(state)


@functools.partial(jax.jit, static_argnames=("program",), donate_argnames=("state",))
def advance(
    program: Program, policy: DecoderParams, rm: DecoderParams, tables: Tables, state: Search
) -> tuple[Search, jax.Array]:
    """Take one step in every active lane; return also which lanes are still active, whole on every device."""
    found = _branch(program, policy, tables.vocab, state)
    prob_nk, rm_suffix = _score(program, rm, state.rm, found)
    inside_nkt = jnp.arange(found.tokens_nkt.shape[2]) < found.len_nk[..., None]
    possible_nk = jnp.any(inside_nkt & ~tables.blank_v[found.tokens_nkt], -1) & state.active_n[:, None]
    state = _commit(program, state, found, rm_suffix, prob_nk, possible_nk)
    return _pin(state), rules.constrain(state.active_n, (None,))


def _branch(program: Program, policy: DecoderParams, tables: VocabTables, state: Search) -> _Candidates:
    """Sample K next steps in each lane; a step that runs into its limit ends in a separator there."""
    n, k, t = state.start_n.shape[0], program.sampling.num_samples, program.sampling.max_new_tokens
    limit_n1 = jnp.minimum(t, program.max_tokens - state.len_n)[:, None]
    candidate_nk = jnp.broadcast_to(jnp.arange(k), (n, k))

    class Carry(NamedTuple):
        step: jax.Array
        token_nk: jax.Array
        done_nk: jax.Array
        found: _Candidates
        calculator: calculator.CalculatorState

    def body(c: Carry) -> Carry:
        count_nk = jnp.broadcast_to(c.step, (n, k))
        hidden, suffix = api.extend(
            program.policy, policy, c.token_nk[..., None], *state.policy, c.found.suffix, count_nk
        )
        logits = api.unembed(program.policy, policy, hidden[:, :, 0])
        keys = engine.token_keys(state.key_n2, candidate_nk, state.len_n[:, None] + count_nk)
        token_nk, _ = engine.draw(program.sampling, tables, logits, keys)
        calculators = c.calculator
        if tables.calculator is not None:
            token_nk, _ = calculator.force(calculators, token_nk)
            calculators = calculator.advance(tables.calculator, calculators, token_nk)
        is_cut = (count_nk + 1 >= limit_n1) & (token_nk != program.eos_id)
        token_nk = jnp.where(is_cut, program.sep_id, token_nk)
        final_nk = (token_nk == program.eos_id) | (token_nk == program.marker_id)
        found = _Candidates(
            tokens_nkt=c.found.tokens_nkt.at[:, :, c.step].set(token_nk),
            len_nk=jnp.where(c.done_nk, c.found.len_nk, c.step + 1),
            final_nk=c.found.final_nk | (final_nk & ~c.done_nk),
            suffix=suffix,
        )
        done_nk = c.done_nk | (token_nk == program.eos_id) | (token_nk == program.sep_id)
        return Carry(c.step + 1, token_nk, done_nk, found, calculators)

    none = jnp.zeros((n, k), jnp.int32)
    found = _Candidates(jnp.zeros((n, k, t), jnp.int32), none, none > 0, api.init_kv(program.policy, n * k, t))
    start = Carry(
        step=jnp.int32(0),
        token_nk=jnp.broadcast_to(state.start_n[:, None], (n, k)),
        done_nk=jnp.broadcast_to(~state.active_n[:, None], (n, k)),
        found=found,
        calculator=calculator.init_state((n, k)),
    )
    return jax.lax.while_loop(lambda c: (c.step < t) & ~jnp.all(c.done_nk), body, start).found


def _score(program: Program, rm: DecoderParams, prefix: Prefixes, found: _Candidates) -> tuple[jax.Array, KV]:
    """Return the candidates' probabilities of `correct` [n, k], and the reward model's cache of them.

    A step that ends the solution is read at eos, any other at its separator, as in training.
    """
    n, k, t = found.tokens_nkt.shape
    is_last_nkt = jnp.arange(t) == found.len_nk[..., None] - 1
    tokens_nkt = jnp.where(is_last_nkt & found.final_nk[..., None], program.eos_id, found.tokens_nkt)
    empty = api.init_kv(program.rm, n * k, t)
    hidden, suffix = api.extend(program.rm, rm, tokens_nkt, *prefix, empty, jnp.zeros((n, k), jnp.int32))
    last = jnp.maximum(found.len_nk - 1, 0)[..., None, None]
    hidden_nkd = jnp.take_along_axis(hidden, last, axis=2)[:, :, 0]
    logit_nk = api.rm_logit(program.rm, rm, hidden_nkd, program.correct_id, program.incorrect_id)
    return jax.nn.sigmoid(logit_nk), suffix


def _commit(
    program: Program, state: Search, found: _Candidates, rm_suffix: KV, prob_nk: jax.Array, possible_nk: jax.Array
) -> Search:
    """Append the chosen candidates; a lane without a possible one (all are blank) ends as it is."""
    choice_n = program.choose(prob_nk, possible_nk)
    of_choice = lambda a: jnp.take_along_axis(a, choice_n.reshape(-1, *[1] * (a.ndim - 1)), 1)[:, 0]  # noqa: E731
    takes_n = of_choice(possible_nk)
    take_n = jnp.where(takes_n, of_choice(found.len_nk), 0)
    t = jnp.arange(found.tokens_nkt.shape[2])
    lane_n, step_n = jnp.arange(take_n.shape[0]), jnp.where(takes_n, state.num_steps_n, program.max_steps)
    place_nt = jnp.where(t < take_n[:, None], state.len_n[:, None] + t, program.max_tokens)
    tokens_nt = of_choice(found.tokens_nkt)
    newest_n = jnp.take_along_axis(tokens_nt, jnp.maximum(take_n - 1, 0)[:, None], 1)[:, 0]
    policy_kv = api.commit(program.policy, *state.policy, found.suffix, choice_n, take_n)
    rm_kv = api.commit(program.rm, *state.rm, rm_suffix, choice_n, take_n)
    len_n, num_steps_n = state.len_n + take_n, state.num_steps_n + takes_n
    ends_n = of_choice(found.final_nk) | (num_steps_n >= program.max_steps) | (len_n + 1 >= program.max_tokens)
    scored_nk = jnp.where(possible_nk, prob_nk, -1.0)
    return Search(
        policy=Prefixes(policy_kv, state.policy.len_n + take_n),
        rm=Prefixes(rm_kv, state.rm.len_n + take_n),
        start_n=jnp.where(takes_n, newest_n, state.start_n),
        key_n2=state.key_n2,
        active_n=takes_n & ~ends_n,
        out_nl=state.out_nl.at[lane_n[:, None], place_nt].set(tokens_nt, mode="drop"),
        len_n=len_n,
        num_steps_n=num_steps_n,
        prob_ns=state.prob_ns.at[lane_n, step_n].set(of_choice(prob_nk), mode="drop"),
        prob_nsk=state.prob_nsk.at[lane_n, step_n].set(scored_nk, mode="drop"),
        spent_n=state.spent_n + jnp.where(state.active_n, jnp.sum(found.len_nk, -1), 0),
    )


@jax.jit
def results(state: Search) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array, jax.Array, jax.Array]:
    """Return out_nl, len_n, num_steps_n, prob_ns, prob_nsk, spent_n, whole on every device."""
    fields = (state.out_nl, state.len_n, state.num_steps_n, state.prob_ns, state.prob_nsk, state.spent_n)
    return jax.tree.map(lambda a: rules.constrain(a, (None,) * a.ndim), fields)


def _pin(state: Search) -> Search:
    """Shard every array over its lanes, so that the programs hand each other one layout."""
    return jax.tree.map(lambda a: rules.constrain(a, ("batch",) + (None,) * (a.ndim - 1)), state)
