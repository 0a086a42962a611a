"""Numbers as people write them, read exactly: the one place that says which strings are numbers."""

from __future__ import annotations

import re
from fractions import Fraction

# Digits are either plain or have every thousands comma in its place: 1234 and 1,234 but not 12,34.
_WHOLE = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)"
_DECIMAL = re.compile(rf"([+-]?)({_WHOLE}(?:\.[0-9]*)?|\.[0-9]+)")
_FRACTION = re.compile(r"([+-]?[0-9]+) ?/ ?([0-9]+)")
# A minus is a sign only where nothing stands before it that it could be subtracted from.
_NUMBER_IN_TEXT = re.compile(rf"((?<![0-9A-Za-z).])-)?\$?({_WHOLE}(?![0-9])(?:\.[0-9]+)?|\.[0-9]+)")
# Python refuses to read much longer ones, and no answer is that long.
_MAX_CHARACTERS = 1000


def plain_decimal(text: str) -> str | None:
    """Return a decimal in its shortest plain form (`+1,234.50` gives `1234.5`, `-0` gives `0`), None for no decimal."""
    match = _DECIMAL.fullmatch(text)
    if match is None:
        return None
    sign, digits = match.groups()
    whole, _, decimals = digits.replace(",", "").partition(".")
    whole, decimals = whole.lstrip("0") or "0", decimals.rstrip("0")
    plain = f"{whole}.{decimals}" if decimals else whole
    return f"-{plain}" if sign == "-" and plain != "0" else plain


def parse_rational(text: str) -> Fraction | None:
    """Return the exact value of a decimal or of a fraction such as `3/4`; None for anything else."""
    text = text.strip()
    if len(text) > _MAX_CHARACTERS:
        return None
    if text.isascii() and text.isdigit():
        return Fraction(int(text))
    match = _DECIMAL.fullmatch(text)
    if match is not None:
        whole, _, decimals = match[2].replace(",", "").partition(".")
        value = int(match[1] + whole + decimals)
        return Fraction(value, 10 ** len(decimals)) if decimals else Fraction(value)
    match = _FRACTION.fullmatch(text)
    if match is None or int(match[2]) == 0:
        return None
    return Fraction(int(match[1]), int(match[2]))


def last_number(text: str) -> str | None:
    """Return the last decimal in a text in its shortest plain form, None when there is none."""
    matches = _NUMBER_IN_TEXT.findall(text)
    return plain_decimal("".join(matches[-1])) if matches else None
