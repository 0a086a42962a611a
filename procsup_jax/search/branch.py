"""Branch and score: candidate next steps from cached prefixes, and what the reward model says of them.

From each prefix the policy samples K candidate next steps; the reward model reads only their new tokens, on its own
cached prefix, each distinct step once. Who calls chooses among them and keeps the keys and values that both have left
behind, so that no token's are computed twice by either model: `greedy` keeps one chain, `grow` a tree.
Axis letters: n prefix (a problem, or one of several nodes of it), k candidate, t token of a step, x problem.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from procsup_jax.decode import draw
from procsup_jax.decode.calculator import loop as calculator
from procsup_jax.decode.draw import VocabTables
from procsup_jax.decode.settings import DecodeSettings
from procsup_jax.models import api
from procsup_jax.models.api import KV, DecoderParams, ModelConfig

# How many candidates of a prefix the reward model reads at a time: of more, what only repeats others costs nothing.
READ_SLOTS = 16


@dataclasses.dataclass(frozen=True)
class Program:
    """Hold everything static about a round; `sampling.max_new_tokens` bounds a step, `max_tokens` the solution."""

    policy: ModelConfig
    rm: ModelConfig
    sampling: DecodeSettings
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

    policy: what the policy has read, which lacks the newest token, start_n, its next input; key_n2: the random key of
    the prefix; len_n: how many tokens of the solution it holds; active_n: whether to go on from it at all.
    """

    policy: Prefixes
    start_n: jax.Array
    key_n2: jax.Array
    len_n: jax.Array
    active_n: jax.Array


class Candidates(NamedTuple):
    """Hold candidate steps, their end tokens included.

    final_nk: the step ends the solution; cut_nk: its problem ran out of tokens before its end, so that it is none.
    suffix: the policy's cache of what it was fed, the prefix's newest token first.
    """

    tokens_nkt: jax.Array
    len_nk: jax.Array
    final_nk: jax.Array
    cut_nk: jax.Array
    suffix: KV


class Judged(NamedTuple):
    """Hold what the reward model says of candidates.

    possible_nk: it may be chosen (neither blank nor cut, and read); prob_nk: its probability of `correct`, where it is;
    first_nk: the first candidate that says the same, the only one read; read_len_n: how many tokens were read;
    left_out_n: there was no room to read some; suffix: the reward model's cache of the candidates read.
    """

    possible_nk: jax.Array
    prob_nk: jax.Array
    first_nk: jax.Array
    read_len_n: jax.Array
    left_out_n: jax.Array
    suffix: KV


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
        at_limit = (count_nk + 1 >= limit_n1) & (token_nk != program.eos_id)
        token_nk = jnp.where(at_limit, program.sep_id, token_nk)
        final_nk = (token_nk == program.eos_id) | (token_nk == program.marker_id)
        found = Candidates(
            tokens_nkt=c.found.tokens_nkt.at[:, :, c.step].set(token_nk),
            len_nk=jnp.where(done_nk, c.found.len_nk, c.step + 1),
            final_nk=c.found.final_nk | (final_nk & ~done_nk),
            cut_nk=cut_nk,
            suffix=suffix,
        )
        done_nk = done_nk | (token_nk == program.eos_id) | (token_nk == program.sep_id)
        return _Carry(c.step + 1, token_nk, done_nk, found, calculators)

    none = jnp.zeros((n, k), jnp.int32)
    empty = api.init_kv(program.policy, n * k, t)
    start = _Carry(
        step=jnp.int32(0),
        token_nk=jnp.broadcast_to(starts.start_n[:, None], (n, k)),
        done_nk=jnp.broadcast_to(~starts.active_n[:, None], (n, k)),
        found=Candidates(jnp.zeros((n, k, t), jnp.int32), none, none > 0, none > 0, empty),
        calculator=calculator.init_state((n, k)),
    )
    return jax.lax.while_loop(lambda c: (c.step < t) & ~jnp.all(c.done_nk), body, start).found


def _over(c: _Carry, room_x: jax.Array) -> jax.Array:
    """Return which unfinished candidates cannot write one more token, so that none writes too much."""
    going = ~c.done_nk.reshape(room_x.shape[0], -1)
    left_x = room_x - jnp.sum(c.found.len_nk.reshape(going.shape), -1)
    return (going & (jnp.cumsum(going, -1) > left_x[:, None])).reshape(c.done_nk.shape)


def judge(
    program: Program,
    rm: DecoderParams,
    tables: Tables,
    prefix: Prefixes,
    found: Candidates,
    active_n: jax.Array,
    room_x: jax.Array | None = None,
) -> Judged:
    """Read each distinct candidate that is not blank, and say how probably it is correct.

    A step that ends the solution is read at eos, any other at its separator, as in training. `room_x`: how many tokens
    may still be read of each problem, whose prefixes stand together; candidates that do not fit are not possible.
    """
    n, k, t = found.tokens_nkt.shape
    inside_nkt = jnp.arange(t) < found.len_nk[..., None]
    is_end_nkt = (jnp.arange(t) == found.len_nk[..., None] - 1) & found.final_nk[..., None]
    tokens_nkt = jnp.where(inside_nkt, jnp.where(is_end_nkt, program.eos_id, found.tokens_nkt), 0)
    visible_nk = jnp.any(inside_nkt & ~tables.blank_v[found.tokens_nkt], -1)
    possible_nk = visible_nk & active_n[:, None] & ~found.cut_nk
    first_nk = _first_equal(tokens_nkt, found.len_nk, possible_nk)
    distinct_nk = read_nk = possible_nk & (first_nk == jnp.arange(k))
    if room_x is not None:
        cost = jnp.where(distinct_nk, found.len_nk, 0).reshape(room_x.shape[0], -1)
        read_nk = distinct_nk & (jnp.cumsum(cost, -1) <= room_x[:, None]).reshape(n, k)
    of_first = lambda a: jnp.take_along_axis(a, first_nk, 1)  # noqa: E731
    prob_nk, suffix = _read(program, rm, prefix, tokens_nkt, found.len_nk, read_nk)
    return Judged(
        possible_nk=possible_nk & of_first(read_nk),
        prob_nk=of_first(prob_nk),
        first_nk=first_nk,
        read_len_n=jnp.sum(jnp.where(read_nk, found.len_nk, 0), -1),
        left_out_n=jnp.any(distinct_nk & ~read_nk, -1),
        suffix=suffix,
    )


def shares(judged: Judged) -> jax.Array:
    """Return what share of a prefix's possible candidates says the same as each distinct one, [n, k]."""
    k = judged.first_nk.shape[1]
    says_nkk = (judged.first_nk[:, None] == jnp.arange(k)[:, None]) & judged.possible_nk[:, None]
    return jnp.sum(says_nkk, -1) / jnp.maximum(jnp.sum(judged.possible_nk, -1, keepdims=True), 1)


def _first_equal(tokens_nkt: jax.Array, len_nk: jax.Array, possible_nk: jax.Array) -> jax.Array:
    """Return the index of the first possible candidate of the same tokens; an impossible one's is its own."""
    k = len_nk.shape[1]
    same_nkk = jnp.all(tokens_nkt[:, :, None] == tokens_nkt[:, None], -1) & (len_nk[:, :, None] == len_nk[:, None])
    return jnp.where(possible_nk, jnp.argmax(same_nkk & possible_nk[:, None], -1), jnp.arange(k)).astype(jnp.int32)


def _read(
    program: Program,
    rm: DecoderParams,
    prefix: Prefixes,
    tokens_nkt: jax.Array,
    len_nk: jax.Array,
    read_nk: jax.Array,
) -> tuple[jax.Array, KV]:
    """Return the probabilities of the candidates to read, and the cache of them, each in its own row."""
    n, k, t = tokens_nkt.shape
    if k <= READ_SLOTS:
        return _read_all(program, rm, prefix, tokens_nkt, len_nk)
    order_nk = jnp.pad(jnp.argsort(~read_nk, axis=-1, stable=True), ((0, 0), (0, -k % READ_SLOTS)))
    read_len_n1 = jnp.sum(read_nk, -1, keepdims=True)
    row_n1 = jnp.arange(n)[:, None]

    def body(carry: tuple[jax.Array, jax.Array, KV]) -> tuple[jax.Array, jax.Array, KV]:
        done, prob_nk, suffix = carry
        slot_nc = jax.lax.dynamic_slice_in_dim(order_nk, done, READ_SLOTS, 1)
        wanted_nc = done + jnp.arange(READ_SLOTS) < read_len_n1
        part = _read_all(program, rm, prefix, tokens_nkt[row_n1, slot_nc], len_nk[row_n1, slot_nc])
        prob_nk = prob_nk.at[row_n1, jnp.where(wanted_nc, slot_nc, k)].set(part[0], mode="drop")
        row_nc = jnp.where(wanted_nc, row_n1 * k + slot_nc, n * k)
        return done + READ_SLOTS, prob_nk, api.put_rows(program.rm, suffix, row_nc.reshape(-1), part[1])

    start = (jnp.int32(0), jnp.zeros((n, k), jnp.float32), api.init_kv(program.rm, n * k, t))
    return jax.lax.while_loop(lambda carry: carry[0] < jnp.max(read_len_n1), body, start)[1:]


def _read_all(
    program: Program, rm: DecoderParams, prefix: Prefixes, tokens_nkt: jax.Array, len_nk: jax.Array
) -> tuple[jax.Array, KV]:
    n, k, t = tokens_nkt.shape
    empty = api.init_kv(program.rm, n * k, t)
    ids = program.correct_id, program.incorrect_id
    logit_nkt, suffix = api.rm_extend(program.rm, rm, tokens_nkt, *prefix, empty, jnp.zeros((n, k), jnp.int32), ids)
    logit_nk = jnp.take_along_axis(logit_nkt, jnp.maximum(len_nk - 1, 0)[..., None], axis=2)[..., 0]
    return jax.nn.sigmoid(logit_nk), suffix
