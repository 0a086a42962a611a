"""Characters that stand for plain ones: other systems' minus signs, digits, blanks, fractions and invisible marks."""

from __future__ import annotations

import unicodedata

_MINUS = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
_INVISIBLE = (
    "\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2061\u2062\u2063\u2064\ufeff"
)
_NAMED = {
    **dict.fromkeys(_MINUS, "-"),
    **dict.fromkeys(_INVISIBLE, ""),
    **dict.fromkeys("\u2044\u2215\u00f7", "/"),
    **dict.fromkeys("\u00d7\u22c5\u00b7\u2217", "*"),
    **dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb\u2033", '"'),
    **dict.fromkeys("\u2018\u2019\u201a\u2032", "'"),
    "\u2264": "<=",
    "\u2265": ">=",
    "\u2260": "!=",
    "\u2248": "\\approx ",
    "\u2192": "->",
    "\u2026": "...",
    "\u3002": ".",
    "\u3001": ",",
    "\u221a": "\\sqrt ",
    "\u03c0": "pi",
    "\u221e": "\\infty ",
    "\u222a": "\\cup ",
    "\u00b0": "^\\circ ",
}


def _table() -> dict[int, str]:
    """Return what stands for each character that has a plain form. Raised digits are powers: they never are digits."""
    table = {ord(character): plain for character, plain in _NAMED.items()}
    for code in range(0xFF01, 0xFF5F):  # full-width ASCII
        table.setdefault(code, chr(code - 0xFEE0))
    for code in range(0x80, 0x3001):
        character = chr(code)
        if code in table:
            continue
        if character.isspace() and character not in "\x85\u2028\u2029":
            table[code] = " "
        kind, _, parts = unicodedata.decomposition(character).partition(" ")
        if kind == "<fraction>":
            table[code] = " " + "".join(chr(int(part, 16)) for part in parts.split()).replace("\u2044", "/")
        elif kind == "<super>" and character.isdigit():
            table[code] = "^" + chr(int(parts, 16))
    return table


_TABLE = _table()


def plain(text: str) -> str:
    r"""Return a text with plain characters where others stand for them: `−` gives `-`, `１` `1`, `½` ` 1/2`.

    Other blanks than line breaks become blanks, invisible characters vanish, and a raised digit becomes a power.
    """
    return text if text.isascii() else text.translate(_TABLE)
