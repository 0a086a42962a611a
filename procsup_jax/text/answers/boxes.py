r"""Boxes: `\boxed{...}` and `\fbox{...}`, nested, empty, open, or `\boxed 2` without braces."""

from __future__ import annotations

import re
from typing import NamedTuple

_BOXED = "\\boxed{"
_BRACE = re.compile(r"[{}]")
_OPENING = re.compile(r"\\(?:boxed|fbox|framebox)\s{0,3}\{")
_OPENING_OR_BRACE = re.compile(rf"{_OPENING.pattern}|[{{}}]")
_WITHOUT_BRACES = re.compile(
    r"\\(?:boxed|fbox)(?:\s{0,3}(-?[0-9][0-9.,]{0,30}[0-9]|-?[0-9])|\s{1,3}([A-Za-z])(?![A-Za-z]))"
)


class Box(NamedTuple):
    """Say where a box starts in a text, and from where to where reaches what it holds."""

    start: int
    inside_start: int
    inside_end: int


def boxed(text: str) -> str | None:
    r"""Return what stands inside the braces of the last `\boxed{...}`; None without one or if its braces are open."""
    start = text.rfind(_BOXED)
    if start < 0:
        return None
    start += len(_BOXED)
    depth = 1
    for brace in _BRACE.finditer(text, start):
        depth += 1 if brace.group() == "{" else -1
        if depth == 0:
            return text[start : brace.start()]
    return None


def boxes(text: str) -> list[Box]:
    """Return the closed boxes of a text that hold no other box. One pass, however deep they nest."""
    found: list[Box] = []
    if "box" not in text:
        return found
    opened: list[tuple[int, int, bool]] = []  # where it starts, where what is inside does, whether it is a box
    for match in _OPENING_OR_BRACE.finditer(text):
        if match.group() != "}":
            opened.append((match.start(), match.end(), match.end() - match.start() > 1))
        elif opened:
            start, inside, is_box = opened.pop()
            if is_box and not (found and found[-1].start > start):
                found.append(Box(start, inside, match.start()))
    without = ((match, 1 if match[1] else 2) for match in _WITHOUT_BRACES.finditer(text))
    return found + [Box(match.start(), *match.span(group)) for match, group in without]
