"""What the calculator knows of a tokenizer: the bytes that it reads of each token, and how values are written."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from procsup_jax.decode.calculator import expression, writing
from procsup_jax.decode.calculator.writing import TokenText, Writer

# A token with more bytes inside an expression ends it.
_MAX_TOKEN_BYTES = 32
_RESET = b"\0"  # stands for any byte that no expression holds


class CalculatorTables(NamedTuple):
    """Hold what the calculator knows of a tokenizer.

    kind_v: which tokens read alike; for each kind, bytes_cm: the bytes that can matter; len_c: how many; wakes_c:
    whether a `<` is among them. writer: what values are written with.
    """

    kind_v: jax.Array
    bytes_cm: jax.Array
    len_c: jax.Array
    wakes_c: jax.Array
    writer: Writer


def make_tables(tokenizer: TokenText) -> CalculatorTables:
    """Build a tokenizer's tables; raise UserError where it is not known how it writes numbers."""
    kinds: dict[bytes, int] = {}
    kind_v = [kinds.setdefault(_shorten(data), len(kinds)) for data in tokenizer.token_bytes()]
    bytes_cm = np.zeros((len(kinds), max(map(len, kinds))), np.int32)
    for row, data in zip(bytes_cm, kinds, strict=True):
        row[: len(data)] = list(data)
    return CalculatorTables(
        kind_v=jnp.asarray(np.array(kind_v, np.int32)),
        bytes_cm=jnp.asarray(bytes_cm),
        len_c=jnp.array([len(data) for data in kinds], jnp.int32),
        wakes_c=jnp.array([b"<" in data for data in kinds]),
        writer=writing.make_writer(tokenizer),
    )


def _shorten(data: bytes) -> bytes:
    """Leave out what cannot matter to an expression that is open after the token, or complete with it."""
    tail = data[len(data.rstrip(expression.ALPHABET)) :]
    before = _RESET if len(tail) < len(data) else b""
    opening = len(tail[: tail.rfind(b"<") + 1].rstrip(b"<")) if b"<" in tail else 0
    if opening:
        # A `<` that no other precedes opens the next expression, whatever was read before.
        before, tail = _RESET, tail[opening:]
    if b"=" in tail[:-1] or len(tail) > _MAX_TOKEN_BYTES:
        return _RESET
    return before + tail
