r"""When two final answers are equal: as exact rationals, as lists and intervals of them, or as normalised text.

Equality is by a key, so that it is an equivalence and votes can group by it. A list without brackets, `1, 2` or
`1 and 2`, and a set in braces, `\{1, 2\}`, are equal in any order; in parentheses and square brackets, `(1, 2)` and
`[2, 5)`, the order counts and so do the brackets.
"""

from __future__ import annotations

import functools
import re
from fractions import Fraction

from procsup_jax.text import rationals
from procsup_jax.text.answers.values import MAX_CHARACTERS, normalise_answer

_MAX_DEPTH = 8
_OPENING, _CLOSING = "([{", ")]}"
# Signs and words that say what kind of number it is; they are dropped, so that 50%, 50\% and 50 are one answer.
_SIGN = (
    r"%|\^\s*\{?\s*\\circ\s*\}?|\\circ|\\degree|degrees?|percent|\u20ac|\u00a3|\u00a5|\u20b9|dollars?|euros?|USD|EUR"
)
_AFTER = re.compile(rf"\s*(?:{_SIGN})\s*\Z", re.IGNORECASE)
_BEFORE = re.compile(r"\A([+-]?)\s*(?:\u20ac|\u00a3|\u00a5|\u20b9|(?:US|USD|EUR)(?=\s*[0-9.]))\s*")
_SOLUTION = re.compile(r"\s*([A-Za-z])\s*=(?!=)\s*(.*\S)\s*", re.DOTALL)
_NEGATED = re.compile(r"-\s*(?=\()")
_SEPARATOR = re.compile(r"[()\[\]{}]|[,;]|\s(?:and|or)\s")
_THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_HALF_DAY = re.compile(r"\b([ap])\.? ?m\b\.?", re.IGNORECASE)
_GROUPED = re.compile(r"([\^_])\{(\w+)\}")
_ROOT = re.compile(r"\\sqrt\s*(\w)")
_BLANK = re.compile(r"(?<![0-9])\s+|\s+(?![0-9])")
_TIMES = re.compile(r"(?<!\*)\*(?=[A-Za-z\\(])")


@functools.lru_cache(maxsize=1 << 16)
def answer_key(answer: str) -> Fraction | str:
    """Return what equal answers share, to group by: the exact value of a number, else the text that is compared."""
    normal = normalise_answer(answer)
    value = rationals.parse_rational(normal)
    if value is not None:
        return value
    return normal if len(normal) > MAX_CHARACTERS else _key(normal, 0)


def same_answer(a: str | None, b: str | None) -> bool:
    """Say whether two answers are equal: as exact rationals when both are numbers, else by what `answer_key` says.

    This is what makes a final answer right. A missing one (None) equals nothing.
    """
    return a is not None and b is not None and (a == b or answer_key(a) == answer_key(b))


@functools.lru_cache(maxsize=1 << 16)
def is_answer(text: str | None) -> bool:
    """Say whether there is a final answer; an empty one is none."""
    return text is not None and normalise_answer(text) != ""


def _key(text: str, depth: int) -> Fraction | str:
    text = text.strip()
    value = _value(text)
    if value is not None:
        return value
    if depth >= _MAX_DEPTH:
        return _text_key(text)
    if (sign := _NEGATED.match(text)) is not None:
        negated = _key(text[sign.end() :], depth + 1)
        return -negated if isinstance(negated, Fraction) else _text_key(text)
    text = text.replace("\\{", "{").replace("\\}", "}")
    parts, enclosed = _parts(text)
    if len(parts) > 1:
        return ",".join(sorted(_item_keys(_without_unknown(parts), depth)))
    if not enclosed:
        return _text_key(text)
    inner, _ = _parts(text[1:-1], every_comma=text[0] != "{")
    if len(inner) == 1:
        return _key(text[1:-1], depth + 1) if text[0] + text[-1] in ("()", "{}") else _text_key(text)
    if text[0] == "{":
        return ",".join(sorted(_item_keys(inner, depth)))
    return text[0] + ",".join(_item_keys(inner, depth)) + text[-1]


def _value(text: str) -> Fraction | None:
    """Return the value of a number, with or without what says its kind."""
    value = rationals.parse_rational(text)
    if value is None:
        bare = _BEFORE.sub(r"\1", _AFTER.sub("", text), count=1) if len(text) <= MAX_CHARACTERS else text
        value = rationals.parse_rational(bare)
    return value


def _item_keys(parts: list[str], depth: int) -> list[str]:
    return [str(_key(part, depth + 1)) for part in parts if part.strip()]


def _without_unknown(parts: list[str]) -> list[str]:
    """Drop the left sides of solutions of one unknown: x = 1, x = 2 gives 1, 2."""
    solved = [match for part in parts if (match := _SOLUTION.fullmatch(part))]
    return [match[2] for match in solved] if len(solved) == len(parts) and len({m[1] for m in solved}) == 1 else parts


def _parts(text: str, *, every_comma: bool = False) -> tuple[list[str], bool]:
    """Return the items of a list outside all brackets, and whether one pair of brackets encloses the whole.

    A comma before three digits is a thousands mark where other commas have blanks, except in brackets.
    """
    marked = text if every_comma or ", " not in text else _THOUSANDS.sub("\0", text)
    parts, start, depth, enclosed = [], 0, 0, text[:1] in _OPENING and text[-1:] in _CLOSING and len(text) > 1
    for match in _SEPARATOR.finditer(marked):
        symbol = match.group()
        if symbol in _OPENING:
            depth += 1
        elif symbol in _CLOSING:
            depth -= 1
            enclosed &= depth > 0 or match.end() == len(text)
        elif depth == 0:
            parts.append(marked[start : match.start()].replace("\0", ","))
            start = match.end()
    parts.append(marked[start:].replace("\0", ","))
    if depth != 0:
        return [text], False
    return [part for part in parts if part.strip()] or [text], enclosed


def _text_key(text: str) -> str:
    """Return a text as it is compared: without case, blanks and grouping that change nothing."""
    text = _HALF_DAY.sub(r"\1m", text)
    text = _ROOT.sub(r"\\sqrt{\1}", _GROUPED.sub(r"\1\2", text))
    return _TIMES.sub("", _BLANK.sub("", text)).casefold()
