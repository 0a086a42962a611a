"""Numbers as people write them, read exactly: the one place that says which strings are numbers."""

from __future__ import annotations

import re
from fractions import Fraction

# Digits are plain or have every thousands mark in its place: 1234, 1,234, 1 234 or 1'234, but not 12,34.
_COMMAS = r"[0-9]{1,3}(?:,[0-9]{3})+"
_WHOLE = rf"(?:{_COMMAS}|[0-9]+)"
_MARKED = rf"(?:{_COMMAS}|[0-9]{{1,3}}(?: [0-9]{{3}})+|[0-9]{{1,3}}(?:'[0-9]{{3}})+|[0-9]+)"
_DECIMAL = re.compile(rf"([+-]?)({_MARKED}(?:\.[0-9]*)?|\.[0-9]+)")
_TERM = rf"(?:{_WHOLE}(?:\.[0-9]*)?|\.[0-9]+)"
_FRACTION = re.compile(rf"([+-]?{_TERM}) ?/ ?([+-]?{_TERM})")
_MIXED = re.compile(r"([+-]?)([0-9]+) +([0-9]+) ?/ ?([0-9]+)")
# A minus is a sign only where nothing stands before it that it could be subtracted from.
_NUMBER_IN_TEXT = re.compile(rf"((?<![0-9A-Za-z).])-)?\$?({_WHOLE}(?![0-9])(?:\.[0-9]+)?|\.[0-9]+)")
_VALUE_IN_TEXT = re.compile(rf"{_NUMBER_IN_TEXT.pattern}(?: ?/ ?\$?({_TERM}))?")
_MARKS = str.maketrans("", "", ", '")
# Python refuses to read much longer ones, and no answer is that long.
_MAX_CHARACTERS = 1000


def plain_decimal(text: str) -> str | None:
    """Return a decimal in its shortest plain form (`+1,234.50` gives `1234.5`, `-0` gives `0`), None for no decimal."""
    match = _DECIMAL.fullmatch(text)
    if match is None:
        return None
    sign, digits = match.groups()
    whole, _, decimals = digits.translate(_MARKS).partition(".")
    whole, decimals = whole.lstrip("0") or "0", decimals.rstrip("0")
    plain = f"{whole}.{decimals}" if decimals else whole
    return f"-{plain}" if sign == "-" and plain != "0" else plain


def parse_rational(text: str) -> Fraction | None:
    """Return the exact value of a decimal, of a fraction such as `3/4` or of a mixed number; None for anything else."""
    text = text.strip()
    if len(text) > _MAX_CHARACTERS:
        return None
    if text.isascii() and text.isdigit():
        return Fraction(int(text))
    match = _DECIMAL.fullmatch(text)
    if match is not None:
        return _value(match[0])
    match = _FRACTION.fullmatch(text)
    if match is not None:
        bottom = _value(match[2])
        return _value(match[1]) / bottom if bottom else None
    match = _MIXED.fullmatch(text)
    if match is None or int(match[4]) == 0:
        return None
    value = int(match[2]) + Fraction(int(match[3]), int(match[4]))
    return -value if match[1] == "-" else value


def numbers(text: str) -> list[str]:
    """Return the decimals in a text in their shortest plain form, in order."""
    return [plain_decimal("".join(match)) or "" for match in _NUMBER_IN_TEXT.findall(text)]


def last_value(text: str) -> Fraction | None:
    """Return the exact value of the last number in a text, a fraction such as 3/4 as one; None for no number."""
    *_, last = [None, *_VALUE_IN_TEXT.finditer(text)]
    if last is None:
        return None
    top, bottom = "".join(filter(None, last.groups()[:2])), last[3] or "1"
    if len(top) + len(bottom) > _MAX_CHARACTERS:
        return None
    return _value(top) / (_value(bottom) or 1)


def _value(decimal: str) -> Fraction:
    whole, _, decimals = decimal.translate(_MARKS).partition(".")
    value = int(whole + decimals)
    return Fraction(value, 10 ** len(decimals)) if decimals else Fraction(value)
