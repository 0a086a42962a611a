"""What the calculator forces after given tokens, many rows at a time: for the command and to check it."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from procsup_jax.decode.calculator import expression, loop
from procsup_jax.decode.calculator.loop import CalculatorState
from procsup_jax.decode.calculator.tables import CalculatorTables, make_tables


def forced_values(expressions: Sequence[bytes]) -> list[str | None]:
    """Return for each expression the value the graph forces after `<<EXPR=`, None where it abstains."""
    values: list[str | None] = [None] * len(expressions)
    # With a bracket or an equals sign in it, or longer, a line is no expression.
    usable = [i for i, e in enumerate(expressions) if len(e) <= expression.MAX_BYTES and not set(e) & set(b"<>=")]
    forced = forced_tokens(make_tables(_Bytes()), [list(b"<<" + expressions[i] + b"=") for i in usable])
    for i, tokens in zip(usable, forced, strict=True):
        values[i] = bytes(tokens).decode()[:-2] or None
    return values


def forced_tokens(tables: CalculatorTables, rows: Sequence[Sequence[int]], *, chunk: int = 4096) -> list[list[int]]:
    """Return for each row of tokens those that the graph forces right after it."""
    found: list[list[int]] = [[]] * len(rows)
    longest = -(-max(map(len, rows), default=1) // 64) * 64
    # Like lengths go together.
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    for start in range(0, len(order), chunk):
        part = order[start : start + chunk]
        tokens_bl, last_b = np.zeros((chunk, longest), np.int32), np.zeros(chunk, np.int32)
        for b, i in enumerate(part):
            tokens_bl[b, : len(rows[i])] = rows[i]
            last_b[b] = len(rows[i]) - 1
        queue_bf = np.asarray(_queues(tables, jnp.asarray(tokens_bl), jnp.asarray(last_b)))
        for i, queue_f in zip(part, queue_bf, strict=False):
            found[i] = queue_f[queue_f >= 0].tolist()
    return found


@jax.jit
def _queues(tables: CalculatorTables, tokens_bl: jax.Array, last_b: jax.Array) -> jax.Array:
    """Return what is queued right after the token at `last_b`."""

    def step(i: jax.Array, carry: tuple[CalculatorState, jax.Array]) -> tuple[CalculatorState, jax.Array]:
        state, queue_bf = carry
        state = loop.advance(tables, state, tokens_bl[:, i])
        return state, jnp.where((i == last_b)[:, None], state.queue_f, queue_bf)

    state = loop.init_state(last_b.shape)
    return jax.lax.fori_loop(0, jnp.max(last_b) + 1, step, (state, state.queue_f))[1]


class _Bytes:
    """The tokenizer whose tokens are bytes."""

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def token_bytes(self) -> list[bytes]:
        return [bytes([byte]) for byte in range(256)]
