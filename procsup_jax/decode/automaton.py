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
_ENDS, _ANSWER, _VISIBLE = 1, 2, 4
_EVENT_BITS = 3


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

    kind_v: which tokens do the same; for each state and kind, moves_sc: the next state and the events, packed, and
    head_sc: `Events.head`; len_v: each token's bytes.
    """

    kind_v: jax.Array
    moves_sc: jax.Array
    head_sc: jax.Array
    len_v: jax.Array


class Events(NamedTuple):
    """Say what a token did, elementwise.

    step_ends: it completed a separator; answer_here: the step that it ended, or else is in, holds the answer;
    solution_ends: both; visible: that step holds a visible character; head: the token's bytes up to the first
    separator's end, one more than a separator has where they are not all part of it, 0 where no step ends.
    """

    step_ends: jax.Array
    answer_here: jax.Array
    solution_ends: jax.Array
    visible: jax.Array
    head: jax.Array


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
    moves_sc, head_sc = map(jnp.asarray, _compose(kinds, alphabet, separator, marker))
    none = [0] * ((size or len(kind_v)) - len(kind_v))
    by_token = (jnp.asarray(np.array([*each, *none], np.int32)) for each in (kind_v, map(len, token_bytes)))
    return AutomatonTables(next(by_token), moves_sc, head_sc, next(by_token))


def can_mix(tables: AutomatonTables, separator: bytes) -> bool:
    """Say whether some token can hold the end of a step's content and complete the separator behind it."""
    return bool(jnp.any(tables.head_sc > len(separator)))


def can_spill(token_bytes: Sequence[bytes], separator: bytes, opening: bytes) -> bool:
    """Say whether some token can complete a separator and hold `opening` behind it."""
    rests = b"|".join(re.escape(separator[i:]) for i in range(len(separator)))
    spill = re.compile(b"(?:\\A(?:%b)|%b).*%b" % (rests, re.escape(separator), re.escape(opening)), re.DOTALL)
    return any(spill.search(data) for data in token_bytes if opening in data)


def init_state(shape: tuple[int, ...]) -> jax.Array:
    """Return the states at the start of a solution, for slots of this shape."""
    return jnp.zeros(shape, jnp.int32)


def reset(state: jax.Array, where: jax.Array) -> jax.Array:
    """Start anew where true."""
    return jnp.where(where, 0, state)


def advance(tables: AutomatonTables, state: jax.Array, tokens: jax.Array) -> tuple[jax.Array, Events]:
    """Take in the token that each slot has written; return what it did as well."""
    kind = tables.kind_v[tokens]
    move = tables.moves_sc[state, kind]
    is_ = lambda bit: (move & bit) > 0  # noqa: E731
    ends, answer = is_(_ENDS), is_(_ANSWER)
    return move >> _EVENT_BITS, Events(ends, answer, ends & answer, is_(_VISIBLE), tables.head_sc[state, kind])


def final_len(
    tables: AutomatonTables, tokens_xt: jax.Array, len_x: jax.Array, head_x: jax.Array, separator_len: int
) -> jax.Array:
    """Return how many of each row's tokens hold something of a step, whose last token completed its separator.

    `head_x` is that token's. What it holds behind the separator does not count.
    """
    t = tokens_xt.shape[-1]
    place_xt = jnp.arange(t) - (len_x[..., None] - 1)
    bytes_xt = jnp.where(place_xt < 0, tables.len_v[tokens_xt], jnp.where(place_xt == 0, head_x[..., None], 0))
    from_here_xt = jnp.cumsum(bytes_xt[..., ::-1], -1)[..., ::-1]
    return jnp.sum((place_xt <= 0) & (from_here_xt > separator_len), -1, dtype=jnp.int32)


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


def _compose(
    kinds: Sequence[bytes], alphabet: _Alphabet, separator: bytes, marker: bytes
) -> tuple[np.ndarray, np.ndarray]:
    """Run the machine over the bytes of each kind from each state; return moves_sc and head_sc."""
    states, next_sa, events_sa = _machine(alphabet.letters, separator, marker)
    lens_c = np.array([len(kind) for kind in kinds])
    letter_cp = np.zeros((len(kinds), lens_c.max()), np.int32)
    for row, kind in zip(letter_cp, kinds, strict=True):
        row[: len(kind)] = [alphabet.letters.index(byte) for byte in kind]
    state_sc = np.repeat(np.arange(len(states), dtype=np.int32)[:, None], len(kinds), 1)
    ended_sc, head_sc = np.zeros((2, *state_sc.shape), np.int32)
    for place in range(letter_cp.shape[1]):
        going_c = np.flatnonzero(lens_c > place)
        before_sc, letter_c = state_sc[:, going_c], letter_cp[going_c, place]
        events_sg = events_sa[before_sc, letter_c]
        is_first_sg = (events_sg & _ENDS > 0) & (head_sc[:, going_c] == 0)
        # A token that begins in the separator is its bytes, all of them letters; any other has more, if fewer letters.
        head_sc[:, going_c] += np.where(is_first_sg, min(place, len(separator)) + 1, 0)
        ended_sc[:, going_c] |= events_sg
        state_sc[:, going_c] = next_sa[before_sc, letter_c]
    holds_s = np.array([state.answer * _ANSWER + state.visible * _VISIBLE for state in states])
    return (state_sc << _EVENT_BITS) | np.where(ended_sc & _ENDS, ended_sc, holds_s[state_sc]), head_sc


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
