"""How values are written in a tokenizer's own tokens, in the graph: what `encode(value + ">>")` would give.

Either every run of digits is cut into groups from the left (single digits, or up to three), each with tokens of its
own, or characters merge pair by pair, as byte-pair encodings do. Which of them holds is found by probing.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from procsup_jax.decode.calculator import rational
from procsup_jax.decode.calculator.rational import FRACTION_DIGITS, INTEGER_DIGITS
from procsup_jax.errors import UserError

CLOSE = ">>"
_GROUP_SIZES = (1, 3)
_CHARACTERS = "0123456789-.>"
_MINUS, _POINT, _CLOSE = (_CHARACTERS.index(c) for c in "-.>")
_NUM_CHARACTERS = 1 + INTEGER_DIGITS + 1 + FRACTION_DIGITS + len(CLOSE)
# Groups of three digits fill whole groups.
MAX_TOKENS = _NUM_CHARACTERS + -INTEGER_DIGITS % 3 + -FRACTION_DIGITS % 3


class TokenText(Protocol):
    """What a tokenizer offers the calculator."""

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text."""

    def token_bytes(self) -> list[bytes]:
        """Return the bytes each id stands for."""


class Grouped(NamedTuple):
    """Hold tokens of what values are made of, -1 for none.

    group_ids: those of 0 to 9, 00 to 99 and so on, up to as many digits as the rows are long; minus_id, point_id;
    close_ids: the two or fewer that write `>>`.
    """

    group_ids: jax.Array
    minus_id: jax.Array
    point_id: jax.Array
    close_ids: jax.Array


class Merged(NamedTuple):
    """Hold the tokens made of values' characters, by rank: the lower merge first.

    character_ranks: those of the digits, `-`, `.` and `>`; pair_keys: the pairs that merge, left times the number of
    ranks plus right, in order; merged_ranks: what they become; token_ids: each rank's token.
    """

    character_ranks: jax.Array
    pair_keys: jax.Array
    merged_ranks: jax.Array
    token_ids: jax.Array


Writer = Grouped | Merged


def make_writer(tokenizer: TokenText) -> Writer:
    """Return what writes values as this tokenizer does; raise UserError where no rule known here does."""
    token_bytes = tokenizer.token_bytes()
    written = {value: tokenizer.encode(value + CLOSE) for value in _probes()}
    for value, ids in written.items():
        _check(value + CLOSE, ids, token_bytes)
    for size in _GROUP_SIZES:
        groups = ["".join(digits) for n in range(1, size + 1) for digits in itertools.product("0123456789", repeat=n)]
        tokens = {text: tokenizer.encode(text) for text in (*groups, "-", ".", CLOSE)}
        if all(_grouped(value, size, tokens) == ids for value, ids in written.items()):
            return _grouped_writer(tokens, groups, size)
    merges = _Merges(tokenizer, token_bytes)
    for value, ids in written.items():
        if merges.encode(value + CLOSE) != ids:
            raise UserError(
                f"the tokenizer writes {value + CLOSE!r} as {[token_bytes[i] for i in ids]}, by rules that the "
                "calculator does not know: decode with calculator=False"
            )
    return merges.writer()


def write(writer: Writer, value: rational.Rational) -> jax.Array:
    """Return the tokens of the values' shortest plain decimals and `>>`, among -1; all -1 where not exact.

    They lie on a new last axis of MAX_TOKENS.
    """
    integer, fraction, exact = rational.decimal_digits(value)
    integer_len = jnp.sum(jnp.cumsum(integer, -1) > 0, -1)
    minus = value.negative & ((integer_len > 0) | jnp.any(fraction > 0, -1))
    integer_len = jnp.maximum(integer_len, 1)
    fraction_len = jnp.sum(jnp.cumsum(fraction[..., ::-1], -1) > 0, -1)
    shift = jnp.minimum(jnp.arange(INTEGER_DIGITS) + (INTEGER_DIGITS - integer_len)[..., None], INTEGER_DIGITS - 1)
    numbers = _Numbers(minus, jnp.take_along_axis(integer, shift, -1), integer_len, fraction, fraction_len)
    tokens = _write_groups(writer, numbers) if isinstance(writer, Grouped) else _write_merged(writer, numbers)
    room = [(0, 0)] * (tokens.ndim - 1) + [(0, MAX_TOKENS - tokens.shape[-1])]
    return jnp.where(exact[..., None], jnp.pad(tokens, room, constant_values=-1), -1)


class _Numbers(NamedTuple):
    """Hold plain decimals: their digits from the left, and how many there are before and after the point."""

    minus: jax.Array
    integer: jax.Array
    integer_len: jax.Array
    fraction: jax.Array
    fraction_len: jax.Array


def _join(numbers: _Numbers, integer: jax.Array, fraction: jax.Array, signs: Sequence[jax.Array]) -> jax.Array:
    """Put a minus, the digits, a point and what closes one behind the other, -1 where there are none."""
    minus, point, close = signs
    one = lambda keep, sign: jnp.where(keep, sign, -1)[..., None]  # noqa: E731
    close = jnp.broadcast_to(close, (*numbers.minus.shape, close.shape[0]))
    return jnp.concatenate(
        [one(numbers.minus, minus), integer, one(numbers.fraction_len > 0, point), fraction, close], -1
    )


def _write_groups(writer: Grouped, numbers: _Numbers) -> jax.Array:
    integer = _groups(writer.group_ids, numbers.integer, numbers.integer_len)
    fraction = _groups(writer.group_ids, numbers.fraction, numbers.fraction_len)
    return _join(numbers, integer, fraction, (writer.minus_id, writer.point_id, writer.close_ids))


def _groups(group_ids: jax.Array, digits: jax.Array, length: jax.Array) -> jax.Array:
    size = group_ids.shape[1]
    num_groups = -(-digits.shape[-1] // size)
    room = [(0, 0)] * (digits.ndim - 1) + [(0, num_groups * size - digits.shape[-1])]
    digits = jnp.pad(digits, room).reshape(*digits.shape[:-1], num_groups, size)
    here = jnp.clip(length[..., None] - size * jnp.arange(num_groups), 0, size)
    number = jnp.zeros_like(here)
    for i in range(size):
        number = jnp.where(i < here, number * 10 + digits[..., i], number)
    first = jnp.array([0, *((10**n - 10) // 9 for n in range(1, size + 1))])
    tokens = jnp.where(here[..., None] > 0, group_ids[first[here] + number], -1)
    return tokens.reshape(*length.shape, num_groups * size)


def _write_merged(writer: Merged, numbers: _Numbers) -> jax.Array:
    inside = lambda digits, n: jnp.where(jnp.arange(digits.shape[-1]) < n[..., None], digits, -1)  # noqa: E731
    signs = jnp.int32(_MINUS), jnp.int32(_POINT), jnp.full(len(CLOSE), _CLOSE, jnp.int32)
    integer, fraction = inside(numbers.integer, numbers.integer_len), inside(numbers.fraction, numbers.fraction_len)
    characters = _join(numbers, integer, fraction, signs)
    # Characters first, in order, then none.
    order = jnp.argsort(characters < 0, axis=-1, stable=True)
    characters = jnp.take_along_axis(characters, order, -1)
    ranks = jnp.where(characters >= 0, writer.character_ranks[characters], -1)
    ranks = jax.lax.while_loop(
        lambda ranks: jnp.any(_pairs(writer, ranks) < writer.token_ids.shape[0]),
        lambda ranks: _merge(writer, ranks),
        ranks,
    )
    return jnp.where(ranks >= 0, writer.token_ids[ranks], -1)


def _pairs(writer: Merged, ranks: jax.Array) -> jax.Array:
    """Return what each rank and the next one merge to, the number of ranks where they do not."""
    num_ranks = writer.token_ids.shape[0]
    following = jnp.concatenate([ranks[..., 1:], jnp.full_like(ranks[..., :1], -1)], -1)
    key = jnp.where((ranks >= 0) & (following >= 0), ranks * num_ranks + following, -1)
    place = jnp.minimum(jnp.searchsorted(writer.pair_keys, key), writer.pair_keys.shape[0] - 1)
    return jnp.where(writer.pair_keys[place] == key, writer.merged_ranks[place], num_ranks)


def _merge(writer: Merged, ranks: jax.Array) -> jax.Array:
    """Merge each row's pair of lowest rank, the first of equals, if it has any."""
    pairs, length = _pairs(writer, ranks), ranks.shape[-1]
    lowest = jnp.min(pairs, -1, keepdims=True)
    index = jnp.arange(length)
    place = jnp.min(jnp.where(pairs == lowest, index, length), -1, keepdims=True)
    following = jnp.concatenate([ranks[..., 1:], jnp.full_like(ranks[..., :1], -1)], -1)
    merged = jnp.where(index < place, ranks, jnp.where(index == place, lowest, following))
    return jnp.where(lowest < writer.token_ids.shape[0], merged, ranks)


def _check(text: str, ids: Sequence[int], token_bytes: Sequence[bytes]) -> None:
    if b"".join(token_bytes[i] for i in ids) != text.encode() or not all(token_bytes[i] for i in ids):
        raise UserError(
            f"the tokenizer writes {text!r} as {[token_bytes[i] for i in ids]}, but the calculator needs tokens of "
            "just this text: use another tokenizer, or decode with calculator=False"
        )


@functools.cache
def _probes() -> list[str]:
    """Return decimals of every length, with and without a sign and a point."""
    rng = random.Random(0)
    digits = lambda n: "".join(rng.choices("0123456789", k=n))  # noqa: E731
    whole = [str(i) for i in range(130)] + [f"{i}{'0' * n}" for i in (1, 5, 25) for n in range(INTEGER_DIGITS - 2)]
    whole += [rng.choice("123456789") + digits(n) for n in range(INTEGER_DIGITS - 1) for _ in range(16)]
    parts = [digits(n) + rng.choice("123456789") for n in range(FRACTION_DIGITS) for _ in range(8)]
    decimals = [f"{rng.choice(whole)}.{part}" for part in parts]
    return [*whole, *decimals, *(f"-{value}" for value in rng.sample([*whole[1:], *decimals], 150))]


def _grouped(value: str, size: int, tokens: dict[str, list[int]]) -> list[int]:
    """Return the tokens of a value and `>>` where runs of digits are cut from the left."""
    ids: list[int] = []
    for is_digits, run in itertools.groupby(value, str.isdigit):
        text = "".join(run)
        step = size if is_digits else 1
        for start in range(0, len(text), step):
            ids += tokens[text[start : start + step]]
    return ids + tokens[CLOSE]


def _grouped_writer(tokens: dict[str, list[int]], groups: Sequence[str], size: int) -> Grouped:
    padded = lambda ids, n: jnp.array([*ids, *[-1] * (n - len(ids))], jnp.int32)  # noqa: E731
    group_ids = np.full((len(groups), size), -1, np.int32)
    for row, group in zip(group_ids, groups, strict=True):
        row[: len(tokens[group])] = tokens[group]
    minus, point = (jnp.int32(tokens[sign][0]) for sign in "-.")
    return Grouped(jnp.asarray(group_ids), minus, point, padded(tokens[CLOSE], len(CLOSE)))


class _Merges:
    """Hold the pairs that merge, found from the tokens themselves.

    In a vocabulary that was made pair by pair, tokens are in the order of their merges, and the older ones make exactly
    two of each.
    """

    def __init__(self, tokenizer: TokenText, token_bytes: Sequence[bytes]) -> None:
        singles = {text.encode(): tokenizer.encode(text)[0] for text in _CHARACTERS}
        characters = set(b"".join(singles))
        longer = [i for i, data in enumerate(token_bytes) if len(data) > 1 and characters.issuperset(data)]
        self._ids = [*singles.values(), *longer]
        self._pairs: dict[tuple[int, int], int] = {}
        for rank in range(len(singles), len(self._ids)):
            parts = self._ranks(token_bytes[self._ids[rank]].decode())
            if len(parts) == 2:
                self._pairs.setdefault((parts[0], parts[1]), rank)

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text of values' characters."""
        return [self._ids[rank] for rank in self._ranks(text)]

    def writer(self) -> Merged:
        """Return the tables."""
        keyed = sorted((left * len(self._ids) + right, rank) for (left, right), rank in self._pairs.items())
        keys, ranks = zip(*keyed, strict=True) if keyed else ((-2,), (0,))
        arrays = (range(len(_CHARACTERS)), keys, ranks, self._ids)
        return Merged(*(jnp.asarray(np.array(array, np.int32)) for array in arrays))

    def _ranks(self, text: str) -> list[int]:
        ranks = [_CHARACTERS.index(character) for character in text]
        none = len(self._ids)
        while len(ranks) > 1:
            lowest, place = min((self._pairs.get(pair, none), i) for i, pair in enumerate(itertools.pairwise(ranks)))
            if lowest == none:
                break
            ranks[place : place + 2] = [lowest]
        return ranks
