"""What a policy wrote, token by token: its text, and which token ends each of its steps."""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Sequence
from typing import NamedTuple


class Body(NamedTuple):
    """Hold a solution without what ended it: its tokens, and its text, which may end within the last of them."""

    ids: list[int]
    text: str


class _Cut(NamedTuple):
    """Hold written bytes: each token's, the text's, and the ends of the separators in it and right behind it."""

    pieces: list[bytes]
    text: bytes
    ends: list[int]


def body(ids: Sequence[int], token_bytes: Sequence[bytes], separator: str, *, stopped: bool = True) -> Body:
    """Cut what ended a written solution: an end token, or the separator that its last token completes.

    Of that separator's tokens those that hold nothing else are dropped. One that also holds a part of the solution, or
    of what would have come next, stays with all before it. A solution that was not stopped keeps its tokens.
    """
    pieces, text, ends = _cut(ids, token_bytes, separator.encode("utf-8", "surrogatepass"), stopped)
    written = sum(map(len, pieces))
    mixes = len(text) < written and ends[-1] < written
    kept = len(ids) if mixes or not stopped else bisect.bisect_left(_starts(pieces), len(text))
    return Body(list(ids[:kept]), _decode(text))


def step_ends(ids: Sequence[int], token_bytes: Sequence[bytes], separator: str, *, stopped: bool = True) -> list[int]:
    """Return for each step of a written solution the index of the token that ends it, the last token for the last.

    `ids` hold what ended the solution. A blank step belongs to the step before, the first ones to the first, as in
    `steps.split_steps`. Steps that end in the same token have the same index.
    """
    cut = separator.encode("utf-8", "surrogatepass")
    pieces, text, ends = _cut(ids, token_bytes, cut, stopped)
    if not text:
        return []
    part_starts = [0, *(end for end in ends if end <= len(text))]
    part_ends = [*(start - len(cut) for start in part_starts[1:]), len(text)]
    starts = _starts(pieces)
    # The separator before a step that is not blank ends the one before it.
    visible = [a for a, b in zip(part_starts, part_ends, strict=True) if _decode(text[a:b]).strip()]
    return [*(bisect.bisect_left(starts, start) - 1 for start in visible[1:]), len(ids) - 1]


def _cut(ids: Sequence[int], token_bytes: Sequence[bytes], separator: bytes, stopped: bool) -> _Cut:
    pieces = [token_bytes[i] for i in ids]
    data = b"".join(pieces)
    ends = [match.end() for match in re.finditer(re.escape(separator), data)]
    last_start = len(data) - len(pieces[-1]) if pieces else 0
    final = next((i for i, end in enumerate(ends) if end > last_start), None)
    if not stopped or final is None:
        return _Cut(pieces, data, ends)
    return _Cut(pieces, data[: ends[final] - len(separator)], ends[: final + 1])


def _starts(pieces: Sequence[bytes]) -> list[int]:
    return [0, *itertools.accumulate(map(len, pieces))][:-1]


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace")
