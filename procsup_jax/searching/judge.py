"""What the reward model says of candidate steps: each distinct one read once, on its own cached prefix.

Axis letters: n prefix, k candidate, c candidate of those read at a time, t token of a step, x problem.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from procsup_jax.decode import automaton
from procsup_jax.decode.draw import VocabTables
from procsup_jax.models import api
from procsup_jax.models.api import KV, DecoderParams
from procsup_jax.parallel import split
from procsup_jax.searching import branch
from procsup_jax.searching.branch import Candidates, Prefixes, Program

# How many candidates of a prefix the reward model reads at a time: of more, what only repeats others costs nothing.
READ_SLOTS = 16


class ReadSteps(NamedTuple):
    """Hold candidate steps as the reward model reads them, and how many tokens of each; 0: it can't be read."""

    tokens_nkt: jax.Array
    len_nk: jax.Array


_OF_ROWS: Any = (("batch", None, None), ("batch", None))
# Their logical axes (see parallel.rules).
STEPS_AXES = ReadSteps(*_OF_ROWS)


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


def judge(
    program: Program,
    rm: DecoderParams,
    prefix: Prefixes,
    found: Candidates,
    steps: ReadSteps,
    active_n: jax.Array,
    room_x: jax.Array | None = None,
) -> Judged:
    """Read each distinct candidate that is not blank, and say how probably it is correct.

    `steps` are the candidates found, in the reward model's tokens. `room_x`: how many tokens may still be read of each
    problem, whose prefixes stand together; candidates that do not fit are not possible.
    """
    tokens_nkt, len_nk = steps
    n, k = len_nk.shape
    possible_nk = branch.readable(found, active_n) & (len_nk > 0)
    first_nk = _first_equal(tokens_nkt, len_nk, possible_nk)
    distinct_nk = read_nk = possible_nk & (first_nk == jnp.arange(k))
    if room_x is not None:
        cost = jnp.where(distinct_nk, len_nk, 0).reshape(room_x.shape[0], -1)
        read_nk = distinct_nk & (jnp.cumsum(cost, -1) <= room_x[:, None]).reshape(n, k)
    of_first = lambda a: jnp.take_along_axis(a, first_nk, 1)  # noqa: E731
    prob_nk, suffix = _read(program, rm, prefix, tokens_nkt, len_nk, read_nk)
    return Judged(
        possible_nk=possible_nk & of_first(read_nk),
        prob_nk=of_first(prob_nk),
        first_nk=first_nk,
        read_len_n=jnp.sum(jnp.where(read_nk, len_nk, 0), -1),
        left_out_n=jnp.any(distinct_nk & ~read_nk, -1),
        suffix=suffix,
    )


def as_written(program: Program, tables: VocabTables, found: Candidates) -> ReadSteps:
    """Return the candidates as a reward model of the policy's tokens reads them: as they were written.

    A step that ends the solution is read at the end token, any other at its separator, as in training. The end token
    takes the place of the tokens that are the separator's alone, or one more.
    """
    rest_nk = automaton.final_len(
        tables.automaton, found.tokens_nkt, found.len_nk, found.head_nk, program.separator_len
    )
    end_nk = jnp.where(found.head_nk > 0, rest_nk, found.len_nk - 1)
    len_nk = jnp.where(found.final_nk, end_nk + 1, found.len_nk)
    tokens_nkt = jnp.pad(found.tokens_nkt, ((0, 0), (0, 0), (0, int(program.mixes))))
    place_t = jnp.arange(tokens_nkt.shape[-1])
    is_end_nkt = (place_t == end_nk[..., None]) & found.final_nk[..., None]
    tokens_nkt = jnp.where(is_end_nkt, program.end_id, tokens_nkt)
    return ReadSteps(jnp.where(place_t < len_nk[..., None], tokens_nkt, 0), len_nk)


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
        return done + READ_SLOTS, prob_nk, api.put_rows(suffix, row_nc.reshape(-1), part[1])

    start = (jnp.int32(0), jnp.zeros((n, k), jnp.float32), api.init_kv(program.rm, n * k, t, program.head))
    return split.repeat(lambda carry: split.total(jnp.sum(read_len_n1 > carry[0])) > 0, body, start, stride=1)[1:]


def _read_all(
    program: Program, rm: DecoderParams, prefix: Prefixes, tokens_nkt: jax.Array, len_nk: jax.Array
) -> tuple[jax.Array, KV]:
    n, k, t = tokens_nkt.shape
    empty, none = api.init_kv(program.rm, n * k, t, program.head), jnp.zeros((n, k), jnp.int32)
    logit_nkt, suffix = api.rm_extend(program.rm, program.head, rm, tokens_nkt, *prefix, empty, none)
    logit_nk = jnp.take_along_axis(logit_nkt, jnp.maximum(len_nk - 1, 0)[..., None], axis=2)[..., 0]
    return jax.nn.sigmoid(logit_nk), suffix
