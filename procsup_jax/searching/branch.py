"""Branch: candidate next steps from cached prefixes.

From each prefix the policy samples K candidate next steps; the reward model reads only their new tokens (`judge`). Who
calls chooses among them and keeps the keys and values that both have left behind, so that no token's are computed twice
by either model: `greedy` keeps one chain, `grow` a tree.
Axis letters: n prefix (a problem, or one of several nodes of it), k candidate, t token of a step, x problem.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from procsup_jax.decode import automaton, draw
from procsup_jax.decode.calculator import loop as calculator
from procsup_jax.decode.draw import VocabTables
from procsup_jax.decode.settings import DecodeSettings
from procsup_jax.models import api
from procsup_jax.models.api import KV, DecoderParams, Head, ModelConfig
from procsup_jax.parallel import split

# What separates a node's own key from those of its candidates' tokens: no candidate has this number.
_CHILD = 2**31 - 1


@dataclasses.dataclass(frozen=True)
class Program:
    """Hold everything static about a round; `sampling.max_new_tokens` bounds a step, `max_tokens` the solution.

    rm_step_tokens, rm_max_tokens: the same in the reward model's tokens; shares_tokens: those are the policy's.
    separator_ids: the tokens that write a separator, separator_len its bytes; end_id: what the reward model reads at
    the end of a solution. mixes: a token may hold the end of a step's content and the separator behind it; spills: one
    may hold a separator and the beginning of an expression behind it.
    """

    policy: ModelConfig
    rm: ModelConfig
    head: Head
    sampling: DecodeSettings
    max_steps: int
    max_tokens: int
    rm_step_tokens: int
    rm_max_tokens: int
    shares_tokens: bool
    separator_ids: tuple[int, ...]
    separator_len: int
    end_id: int
    mixes: bool
    spills: bool


class NewProblems(NamedTuple):
    """Hold problems to put into lanes row_r (n: none): the policy's prompt without its last token, that, the RM's."""

    row_r: jax.Array
    policy_tokens_rp: jax.Array
    policy_len_r: jax.Array
    start_r: jax.Array
    rm_tokens_rp: jax.Array
    rm_len_r: jax.Array
    key_r2: jax.Array


class Prefixes(NamedTuple):
    """Hold one model's cached prefixes."""

    kv: KV
    len_n: jax.Array


class Starts(NamedTuple):
    """Hold what candidates go on from.

    policy: what the policy has read, which lacks the newest token, start_n, its next input; step_n: the automaton's
    state behind that; key_n2: the random key of the prefix; len_n: how many tokens of the solution it holds; active_n:
    whether to go on from it at all.
    """

    policy: Prefixes
    start_n: jax.Array
    step_n: jax.Array
    key_n2: jax.Array
    len_n: jax.Array
    active_n: jax.Array


class Candidates(NamedTuple):
    """Hold candidate steps, their end tokens included.

    final_nk: the step ends the solution; visible_nk: it holds a visible character; head_nk: `Events.head` of its last
    token; step_nk: the automaton's state behind it; cut_nk: its problem ran out of tokens before its end, so that it is
    none. suffix: the policy's cache of what it was fed, the prefix's newest token first.
    """

    tokens_nkt: jax.Array
    len_nk: jax.Array
    final_nk: jax.Array
    visible_nk: jax.Array
    head_nk: jax.Array
    step_nk: jax.Array
    cut_nk: jax.Array
    suffix: KV


def readable(found: Candidates, active_n: jax.Array) -> jax.Array:
    """Return which candidates, [n, k], a reward model may read: those of active prefixes, neither blank nor cut."""
    return found.visible_nk & active_n[:, None] & ~found.cut_nk


class _Carry(NamedTuple):
    step: jax.Array
    token_nk: jax.Array
    done_nk: jax.Array
    found: Candidates
    calculator: calculator.CalculatorState


def sample_steps(
    program: Program, policy: DecoderParams, tables: VocabTables, starts: Starts, room_x: jax.Array | None = None
) -> Candidates:
    """Sample K next steps after each prefix; a step that runs into its limit ends in a separator there.

    The key of a token is fold_in(fold_in(prefix's key, candidate), index in the solution). `room_x`: how many tokens
    each problem may still write, whose prefixes stand together: once it is spent, what is not finished is cut, the last
    candidates first.
    """
    n, k, t = starts.start_n.shape[0], program.sampling.num_samples, program.sampling.max_new_tokens
    limit_n1 = jnp.minimum(t, program.max_tokens - starts.len_n)[:, None]
    candidate_nk = jnp.broadcast_to(jnp.arange(k), (n, k))

    def body(c: _Carry) -> _Carry:
        cut_nk = c.found.cut_nk if room_x is None else c.found.cut_nk | _over(c, room_x)
        done_nk = c.done_nk if room_x is None else c.done_nk | cut_nk
        count_nk = jnp.broadcast_to(c.step, (n, k))
        hidden, suffix = api.extend(
            program.policy, policy, c.token_nk[..., None], *starts.policy, c.found.suffix, count_nk
        )
        logits = api.unembed(program.policy, policy, hidden[:, :, 0])
        keys = draw.token_keys(starts.key_n2, candidate_nk, starts.len_n[:, None] + count_nk)
        token_nk, _ = draw.draw(program.sampling, tables, logits, keys)
        calculators = c.calculator
        if tables.calculator is not None:
            token_nk, _ = calculator.force(calculators, token_nk)
            calculators = calculator.advance(tables.calculator, calculators, token_nk)
        left_nk = limit_n1 - count_nk
        token_nk = _separator_at_limit(program, tables, c.found.step_nk, token_nk, left_nk)
        step_nk, events = automaton.advance(tables.automaton, c.found.step_nk, token_nk)
        ends_nk = tables.ends_v[token_nk]
        keep = lambda old, new: jnp.where(done_nk, old, new)  # noqa: E731
        found = Candidates(
            tokens_nkt=c.found.tokens_nkt.at[:, :, c.step].set(token_nk),
            len_nk=keep(c.found.len_nk, c.step + 1),
            final_nk=c.found.final_nk | ((ends_nk | events.answer_here) & ~done_nk),
            visible_nk=keep(c.found.visible_nk, events.visible),
            head_nk=keep(c.found.head_nk, events.head),
            step_nk=keep(c.found.step_nk, step_nk),
            cut_nk=cut_nk,
            suffix=suffix,
        )
        done_nk = done_nk | ends_nk | events.step_ends | (left_nk <= 1)
        return _Carry(c.step + 1, token_nk, done_nk, found, calculators)

    def go_on(c: _Carry) -> jax.Array:
        return (c.step < t) & (split.total(jnp.sum(~c.done_nk)) > 0)

    return split.repeat(go_on, body, _start(program, tables, starts)).found


def _start(program: Program, tables: VocabTables, starts: Starts) -> _Carry:
    n, k, t = starts.start_n.shape[0], program.sampling.num_samples, program.sampling.max_new_tokens
    over_k = lambda a_n: jnp.broadcast_to(a_n[:, None], (n, k))  # noqa: E731
    none, token_nk, calculators = jnp.zeros((n, k), jnp.int32), over_k(starts.start_n), calculator.init_state((n, k))
    if program.spills and tables.calculator is not None:
        # The prompt's last token is no part of the solution.
        calculators = calculator.advance(tables.calculator, calculators, token_nk)
        calculators = calculator.reset(calculators, over_k(starts.len_n == 0))
    return _Carry(
        step=jnp.int32(0),
        token_nk=token_nk,
        done_nk=over_k(~starts.active_n),
        found=Candidates(
            tokens_nkt=jnp.zeros((n, k, t), jnp.int32),
            len_nk=none,
            final_nk=none > 0,
            visible_nk=none > 0,
            head_nk=none,
            step_nk=over_k(starts.step_n),
            cut_nk=none > 0,
            suffix=api.init_kv(program.policy, n * k, t),
        ),
        calculator=calculators,
    )


def _separator_at_limit(
    program: Program, tables: VocabTables, step_nk: jax.Array, token_nk: jax.Array, left_nk: jax.Array
) -> jax.Array:
    """Return the separator's tokens where only they have room still, unless what was drawn ends the step."""
    _, events = automaton.advance(tables.automaton, step_nk, token_nk)
    place_nk = len(program.separator_ids) - left_nk
    writes_nk = (place_nk >= 0) & ~events.step_ends & ~tables.ends_v[token_nk]
    return jnp.where(writes_nk, jnp.array(program.separator_ids)[jnp.maximum(place_nk, 0)], token_nk)


def _over(c: _Carry, room_x: jax.Array) -> jax.Array:
    """Return which unfinished candidates cannot write one more token, so that none writes too much."""
    going = ~c.done_nk.reshape(room_x.shape[0], -1)
    left_x = room_x - jnp.sum(c.found.len_nk.reshape(going.shape), -1)
    return (going & (jnp.cumsum(going, -1) > left_x[:, None])).reshape(c.done_nk.shape)


def child_keys(key_bj2: jax.Array, candidate_bj: jax.Array) -> jax.Array:
    """Return the keys of nodes that are these candidates of nodes with these keys."""

    def fold(key_2: jax.Array, candidate: jax.Array) -> jax.Array:
        key = jax.random.wrap_key_data(key_2, impl="threefry2x32")
        return jax.random.key_data(jax.random.fold_in(jax.random.fold_in(key, _CHILD), candidate))

    return jax.vmap(jax.vmap(fold))(key_bj2, candidate_bj)
