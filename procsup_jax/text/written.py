"""What a policy wrote, token by token: its text, and which token ends each of its steps."""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from procsup_jax.text.pieces import decode_bytes


class Body(NamedTuple):
    """Hold a solution without what ended it: its tokens, and its text, which may end within the last of them."""

    ids: list[int]
    text: str


def body(
    ids: Sequence[int],
    token_bytes: Sequence[bytes],
    separator: bytes,
    end_ids: Collection[int],
    *,
    stopped: bool = True,
) -> Body:
    """Cut what ended a written solution: an end token, or the separator that its last token completes.

    Tokens that hold nothing of the solution go with it; one that does is kept, whatever else it holds. A solution that
    was not `stopped` is kept whole.
    """
    if not stopped:
        return Body(list(ids), decode_bytes(b"".join(token_bytes[i] for i in ids)))
    if ids and ids[-1] in end_ids:
        return body(ids[:-1], token_bytes, separator, (), stopped=False)
    pieces = [token_bytes[i] for i in ids]
    text = _before_separator(pieces, separator)
    return Body(list(ids[: bisect.bisect_left(_starts(pieces), len(text))]), decode_bytes(text))


def step_ends(written: Body, token_bytes: Sequence[bytes], separator: bytes) -> list[int]:
    """Return for each step but the last the index of the token that completes its separator.

    A blank step belongs to the step before, the first ones to the first, as in `steps.split_steps`. Steps that end in
    the same token have the same index.
    """
    pieces = [token_bytes[i] for i in written.ids]
    data = b"".join(pieces)
    text = data if decode_bytes(data) == written.text else _before_separator(pieces, separator)
    separator_ends = _separator_ends(text, separator)
    part_starts = [0, *separator_ends]
    part_ends = [*(end - len(separator) for end in separator_ends), len(text)]
    visible = [a for a, b in zip(part_starts, part_ends, strict=True) if decode_bytes(text[a:b]).strip()]
    starts = _starts(pieces)
    # The separator before a step that is not blank ends the one before it.
    return [bisect.bisect_left(starts, start) - 1 for start in visible[1:]]


def _before_separator(pieces: Sequence[bytes], separator: bytes) -> bytes:
    """Return what stands before the first separator that the last token completes; all, if it completes none."""
    data = b"".join(pieces)
    last_start = len(data) - len(pieces[-1]) if pieces else 0
    found = next((end for end in _separator_ends(data, separator) if end > last_start), None)
    return data if found is None else data[: found - len(separator)]


def _separator_ends(data: bytes, separator: bytes) -> list[int]:
    return [match.end() for match in re.finditer(re.escape(separator), data)]


def _starts(pieces: Sequence[bytes]) -> list[int]:
    return [0, *itertools.accumulate(map(len, pieces))][:-1]
