"""Arithmetic worked out a second time, by a parser that shares nothing with the package's: what it is compared with."""

from __future__ import annotations

import functools
import random
from fractions import Fraction

MAX_CHARACTERS = 256
_ODD = "x^%$=<>\n\t e_\u00d7\u2212\uff11\u0663{}[]!"


@functools.lru_cache(maxsize=1 << 16)
def value(expression: str) -> Fraction | None:
    """Return the value of an expression by recursive descent; None for bad syntax and for a division by zero."""
    if len(expression) > MAX_CHARACTERS:
        return None
    try:
        parser = _Parser(expression)
        found = parser.sum()
        return found if parser.peek() == "" else None
    except (SyntaxError, ZeroDivisionError):
        return None


@functools.lru_cache(maxsize=1 << 16)
def number(text: str) -> Fraction | None:
    """Return a plain decimal's value, its commas in their places; None for anything else."""
    whole, point, decimals = text.partition(".")
    if not _digits(decimals) and decimals or (not decimals and not whole):
        return None
    groups = whole.split(",")
    if len(groups) > 1 and not (1 <= len(groups[0]) <= 3 and all(len(each) == 3 for each in groups[1:])):
        return None
    digits = "".join(groups)
    if whole and not _digits(digits):
        return None
    return Fraction(int(digits or "0")) + (Fraction(int(decimals), 10 ** len(decimals)) if point and decimals else 0)


def expression(chance: random.Random) -> str:
    """Return a random expression, right or not."""
    text = _term(chance, chance.choice((0, 1, 2, 3)))
    roll = chance.random()
    if roll < 0.15:
        at = chance.randrange(len(text) + 1)
        text = text[:at] + chance.choice("0123456789.,+-*/() " + _ODD) + text[at:]
    elif roll < 0.25:
        at = chance.randrange(len(text) + 1)
        text = text[:at] + text[at + 1 :]
    elif roll < 0.26:
        text = chance.choice(("-", "(", "9", "1+", "2*(")) * chance.choice((60, 200, 255, 300)) + text
    return text


def _term(chance: random.Random, depth: int) -> str:
    if depth == 0:
        return _numeral(chance)
    blank = chance.choice(("", "", " "))
    joined = (blank + chance.choice("+-*/") + blank).join(
        _term(chance, chance.randrange(depth)) for _ in range(chance.choice((1, 2, 2, 3)))
    )
    return f"({joined})" if chance.random() < 0.4 else chance.choice(("", "", "-", "+")) + joined


def _numeral(chance: random.Random) -> str:
    roll = chance.random()
    if roll < 0.6:
        return str(chance.randrange(chance.choice((2, 13, 1000))))
    if roll < 0.8:
        return f"{chance.randrange(1000)}.{chance.randrange(1000)}"
    if roll < 0.9:
        return f"{chance.randrange(10**9):,}"
    return chance.choice((".5", "7.", "007", "1,23", "1.2.3", ".", "0", "12,345.60", "9" * 40))


def _digits(text: str) -> bool:
    return bool(text) and all(each in "0123456789" for each in text)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def peek(self) -> str:
        """Return the next character that is no blank, "" at the end."""
        while self._text[self._at : self._at + 1] == " ":
            self._at += 1
        return self._text[self._at : self._at + 1]

    def sum(self) -> Fraction:
        """Read terms with + and - between them."""
        total = self._product()
        while (sign := self.peek()) and sign in "+-":
            self._at += 1
            term = self._product()
            total = total + term if sign == "+" else total - term
        return total

    def _product(self) -> Fraction:
        total = self._factor()
        while (sign := self.peek()) and sign in "*/":
            self._at += 1
            factor = self._factor()
            total = total * factor if sign == "*" else total / factor
        return total

    def _factor(self) -> Fraction:
        negative = False
        while (sign := self.peek()) and sign in "+-":
            negative ^= sign == "-"
            self._at += 1
        if sign == "(":
            self._at += 1
            found = self.sum()
            if self.peek() != ")":
                raise SyntaxError
            self._at += 1
        else:
            start = self._at
            while (each := self._text[self._at : self._at + 1]) and each in "0123456789.,":
                self._at += 1
            read = number(self._text[start : self._at])
            if read is None:
                raise SyntaxError
            found = read
        return -found if negative else found
