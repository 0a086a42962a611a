r"""Where steps and solutions end, found on the bytes of what is written, whatever the tokens: one gather a token.

A machine over bytes knows how far a separator and an answer marker have come, whether the current step holds the
answer, and whether anything in it is visible. `make_tables` runs it over the bytes of every token, from each of its
states, so that in the compiled loop a slot's state is one integer. A step ends where its separator is complete, which
may be in the middle of a token (`.\n\n`, `\n\nThe`); what follows belongs to the next step. A marker counts in the step
that it lies in. One that ends in a brace (`\boxed{`) counts once that brace has closed, escaped braces aside.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from procsup_jax.errors import UserError

# A box with more braces open than this is given up: its step has no answer.
MAX_DEPTH = 8
_BLANKS = b" \t\n\r\x0b\x0c"
_ENDS, _ANSWER, _VISIBLE, _EXACT = 1, 2, 4, 8
_EVENT_BITS = 4


class _State(NamedTuple):
    """Hold what the machine knows of the current step, at its start to begin with.

    in_separator, in_marker: how many of their bytes have just been read; depth: braces open in a box; escaped: after a
    backslash in it.
    """

    in_separator: int = 0
    in_marker: int = 0
    depth: int = 0
    escaped: bool = False
    answer: bool = False
    visible: bool = False


class AutomatonTables(NamedTuple):
    """Hold the machine's moves.

    kind_v: which tokens do the same; moves_sc: for each state and kind the next state and the events, packed; len_v:
    each token's bytes.
    """

    kind_v: jax.Array
    moves_sc: jax.Array
    len_v: jax.Array


class Events(NamedTuple):
    """Say what a token did, elementwise.

    step_ends: it completed a separator; answer_here: the step that it ended, or else is in, holds the answer;
    solution_ends: both; visible: that step holds a visible character; exact: the separator's last byte is the token's.
    """

    step_ends: jax.Array
    answer_here: jax.Array
    solution_ends: jax.Array
    visible: jax.Array
    exact: jax.Array


def make_tables(
    token_bytes: Sequence[bytes], separator: bytes, marker: bytes, *, size: int | None = None
) -> AutomatonTables:
    """Build the tables of a vocabulary of these tokens; those up to `size`, if there are more, are like empty ones.

    An empty marker is none. Raises UserError where the separator is empty or part of the marker.
    """
    if not separator or separator in marker:
        raise UserError(
            f"separator {separator!r} and answer marker {marker!r}: expected a separator of at least "
            "one character that is not part of the marker"
        )
    alphabet = _alphabet(separator, marker)
    kinds, kind_v = _kinds(token_bytes, alphabet)
    moves_sc = _compose(kinds, alphabet, separator, marker)
    none = [0] * ((size or len(kind_v)) - len(kind_v))
    by_token = (jnp.asarray(np.array([*each, *none], np.int32)) for each in (kind_v, map(len, token_bytes)))
    return AutomatonTables(next(by_token), jnp.asarray(moves_sc), next(by_token))


def can_mix(tables: AutomatonTables, separator: bytes) -> bool:
    """Say whether some token can end a step and hold more than a part of the separator."""
    moves_sc = np.asarray(tables.moves_sc)
    ends_sc, exact_sc = moves_sc & _ENDS > 0, moves_sc & _EXACT > 0
    longest_c = np.zeros(moves_sc.shape[1], int)
    np.maximum.at(longest_c, np.asarray(tables.kind_v), np.asarray(tables.len_v))
    # An exact end in a token no longer than the separator is the separator's end.
    return bool(np.any(ends_sc & (~exact_sc | (longest_c > len(separator)))))


def init_state(shape: tuple[int, ...]) -> jax.Array:
    """Return the states at the start of a solution, for slots of this shape."""
    return jnp.zeros(shape, jnp.int32)


def reset(state: jax.Array, where: jax.Array) -> jax.Array:
    """Start anew where true."""
    return jnp.where(where, 0, state)


def advance(tables: AutomatonTables, state: jax.Array, tokens: jax.Array) -> tuple[jax.Array, Events]:
    """Take in the token that each slot has written; return what it did as well."""
    move = tables.moves_sc[state, tables.kind_v[tokens]]
    is_ = lambda bit: (move & bit) > 0  # noqa: E731
    events = Events(is_(_ENDS), is_(_ANSWER), is_(_ENDS) & is_(_ANSWER), is_(_VISIBLE), is_(_EXACT))
    return move >> _EVENT_BITS, events


def final_len(tables: AutomatonTables, tokens_xt: jax.Array, len_x: jax.Array, separator_len: int) -> jax.Array:
    """Return how many of each row's tokens remain without those that lie wholly in its last `separator_len` bytes."""
    t = tokens_xt.shape[-1]
    bytes_xt = jnp.where(jnp.arange(t) < len_x[..., None], tables.len_v[tokens_xt], 0)
    behind_xt = jnp.cumsum(bytes_xt[..., ::-1], -1)[..., ::-1]
    dropped_xt = (jnp.arange(t) < len_x[..., None]) & (behind_xt <= separator_len)
    return len_x - jnp.sum(dropped_xt, -1, dtype=jnp.int32)


class _Alphabet(NamedTuple):
    """Hold the bytes that differ to the machine, its letters: some, and one each for all others.

    `same` maps every byte to the letter that it is like.
    """

    letters: bytes
    visible: int
    blank: int
    same: bytes


def _alphabet(separator: bytes, marker: bytes) -> _Alphabet:
    special = set(separator) | set(marker) | (set(b"\\{}") if marker.endswith(b"{") else set())
    plain = [byte for byte in range(256) if byte not in special]
    visible = next(byte for byte in plain if byte not in _BLANKS)
    blank = next((byte for byte in plain if byte in _BLANKS), visible)
    same = bytes(b if b in special else blank if b in _BLANKS else visible for b in range(256))
    return _Alphabet(bytes(sorted({*special, visible, blank})), visible, blank, same)


def _kinds(token_bytes: Sequence[bytes], alphabet: _Alphabet) -> tuple[list[bytes], list[int]]:
    """Reduce tokens to what matters of them; return the different ones, the empty one first, and each token's."""
    v, b = (re.escape(bytes([byte])) for byte in (alphabet.visible, alphabet.blank))
    between = bytes([next(byte for byte in range(256) if byte not in alphabet.letters)])
    joined = between.join([data.translate(alphabet.same) for data in token_bytes])
    joined = re.sub(b"%b*%b[%b%b]*" % (b, v, v, b), bytes([alphabet.visible]), joined)
    joined = re.sub(b"%b+" % b, bytes([alphabet.blank]), joined)
    index: dict[bytes, int] = {b"": 0}
    kind_v = [index.setdefault(kind, len(index)) for kind in joined.split(between)]
    return list(index), kind_v if token_bytes else []


def _compose(kinds: Sequence[bytes], alphabet: _Alphabet, separator: bytes, marker: bytes) -> np.ndarray:
    """Run the machine over the bytes of each kind from each state."""
    states, next_sa, events_sa = _machine(alphabet.letters, separator, marker)
    lens_c = np.array([len(kind) for kind in kinds])
    letter_cp = np.zeros((len(kinds), lens_c.max()), np.int32)
    for row, kind in zip(letter_cp, kinds, strict=True):
        row[: len(kind)] = [alphabet.letters.index(byte) for byte in kind]
    state_sc = np.repeat(np.arange(len(states), dtype=np.int32)[:, None], len(kinds), 1)
    ended_sc, last_sc = np.zeros((2, *state_sc.shape), np.int32)
    for place in range(letter_cp.shape[1]):
        going_c = np.flatnonzero(lens_c > place)
        before_sc, letter_c = state_sc[:, going_c], letter_cp[going_c, place]
        last_sc[:, going_c] = events_sa[before_sc, letter_c]
        ended_sc[:, going_c] |= last_sc[:, going_c]
        state_sc[:, going_c] = next_sa[before_sc, letter_c]
    holds_s = np.array([state.answer * _ANSWER + state.visible * _VISIBLE for state in states])
    ended_sc |= np.where(last_sc & _ENDS, _EXACT, 0)
    return (state_sc << _EVENT_BITS) | np.where(ended_sc & _ENDS, ended_sc, holds_s[state_sc])


def _machine(letters: bytes, separator: bytes, marker: bytes) -> tuple[list[_State], np.ndarray, np.ndarray]:
    """Return the states that can be reached, and the next state and the events of each of them and each letter."""
    states = [_State()]
    index = {states[0]: 0}
    next_rows, event_rows = [], []
    for state in states:  # grows as states are found
        moves = [_move(state, byte, separator, marker) for byte in letters]
        for after, _ in moves:
            if after not in index:
                index[after] = len(states)
                states.append(after)
        next_rows.append([index[after] for after, _ in moves])
        event_rows.append([events for _, events in moves])
    return states, np.array(next_rows, np.int32), np.array(event_rows, np.int32)


def _move(state: _State, byte: int, separator: bytes, marker: bytes) -> tuple[_State, int]:
    """Return the state after a byte, and the events if it ends a step."""
    in_separator, in_marker, depth, escaped, answer, visible = state
    read = separator[:in_separator] + bytes([byte])
    in_separator = _match(separator, read)
    visible |= bool(read[: len(read) - in_separator].strip())
    if depth:
        depth, escaped, answer = _in_box(depth, escaped, byte)
    elif marker and not answer:
        in_marker = _match(marker, marker[:in_marker] + bytes([byte]))
        if in_marker == len(marker):
            in_marker, is_box = 0, marker.endswith(b"{")
            depth, answer = int(is_box), not is_box
    if in_separator == len(separator):
        return _State(), _ENDS | answer * _ANSWER | visible * _VISIBLE
    if answer:
        in_marker, escaped = 0, False
    return _State(in_separator, in_marker, depth, escaped, answer, visible), 0


def _in_box(depth: int, escaped: bool, byte: int) -> tuple[int, bool, bool]:
    """Return the open braces after a byte in a box, whether the next byte is escaped, and whether the box has closed.

    A brace too many gives the box up.
    """
    if escaped:
        return depth, False, False
    depth += {ord("{"): 1, ord("}"): -1}.get(byte, 0)
    return (0 if depth > MAX_DEPTH else depth), byte == ord("\\"), depth == 0


def _match(pattern: bytes, read: bytes) -> int:
    """Return how many of a pattern's first bytes end what was read."""
    return next(n for n in range(min(len(read), len(pattern)), -1, -1) if read.endswith(pattern[:n]))
