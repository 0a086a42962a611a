"""The calculator of Cobbe et al. 2021 on text: `<<48/2=24>>`, evaluated exactly as rationals."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from procsup_jax.text import characters, rationals
from procsup_jax.types import CalculatorFault

Rational = int | Fraction  # whole numbers stay int while they can: half the time
MAX_EXPRESSION_CHARACTERS = 256

_ANNOTATION = re.compile(r"<<([^<>=\n]*)=([^<>\n]*)>>")
_TOKEN = re.compile(r"([0-9.,]+)|([-+*/()])|([^ ])")
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "negate": 3, "keep": 3}
_PREFIX = {"-": "negate", "+": "keep", "(": "("}
_BINARY: Mapping[str, Callable[[Any, Any], Rational]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": Fraction,
}
_MAX_BITS = 8192
_MISPLACED_COMMA = re.compile(r"(?<=[0-9]),(?=[0-9])")
_CURRENCY = re.compile(r"(?<![0-9.])\$(?=[0-9.])")
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+) ?%")
_TIMES = re.compile(r"(?<=[0-9)%]) ?(?:x|X|of) ?(?=[0-9(.])")
_NOISE = Fraction(1, 10**12)  # relative; binary64 keeps 15 to 17 digits


class Annotation(NamedTuple):
    """Point at `<<expression=written>>` in a text; `start` and `end` count characters, the brackets included."""

    expression: str
    written: str
    start: int
    end: int


def annotations(text: str) -> list[Annotation]:
    """Return the calculator annotations of a text, in order. One that is not closed on its line is none."""
    return [Annotation(match[1], match[2], *match.span()) for match in _ANNOTATION.finditer(text)]


def evaluate(expression: str) -> Fraction | None:
    """Return the exact value of an expression; None where it is not computable.

    Digits, `+ - * / ( )`, decimal points, blanks between tokens, commas in their thousands' places and signs before a
    value are read, with the usual precedence, from left to right. Not computable are other characters, bad syntax,
    `//`, a division by zero, and expressions of more than `MAX_EXPRESSION_CHARACTERS`.
    """
    value = _evaluate(expression)
    return None if value is None else Fraction(value)


def _evaluate(expression: str) -> Rational | None:
    tokens = _tokens(expression)
    if tokens is None:
        return None
    values: list[Rational] = []
    operators: list[str] = []
    after_value = False
    for token in tokens:
        if not isinstance(token, str):
            if after_value:
                return None
            values.append(token)
            after_value = True
        elif not after_value:
            if token not in _PREFIX:
                return None
            operators.append(_PREFIX[token])
        elif token == "(" or not _apply_while_binding(_PRECEDENCE.get(token, 0), operators, values):
            return None
        elif token == ")":
            if not operators:
                return None
            operators.pop()
        else:
            operators.append(token)
            after_value = False
    if not after_value or not _apply_while_binding(0, operators, values) or operators:
        return None
    return values[0]


def format_value(value: Fraction) -> str | None:
    """Return the shortest plain decimal of a value; None where it has no finite one (or thousands of digits)."""
    twos = (value.denominator & -value.denominator).bit_length() - 1
    rest, fives = value.denominator >> twos, 0
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MAX_BITS:
        return None
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        return None
    places = max(twos, fives)
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    plain = f"{digits[:-places]}.{digits[-places:]}" if places else digits
    return f"-{plain}" if value < 0 else plain


def faults(steps: Sequence[str]) -> tuple[CalculatorFault, ...]:
    """Return the annotations whose written value is not the expression's value, compared as rationals.

    More is read here than `evaluate` reads: other systems' signs (`×`, `−`), `50%`, misplaced commas. A decimal that
    is right to the digits it shows is right: 10/3=3.33, but not 3.34; and so is one with binary arithmetic's noise,
    16.830000000000002. A whole number has to be exact. The fault's `value` is a plain decimal where there is one, else
    a fraction; None where the expression is not computable.
    """
    return tuple(
        CalculatorFault(step, annotation.expression, annotation.written, None if value is None else _shown(value))
        for step, text in enumerate(steps)
        for annotation in annotations(text)
        if (value := _lenient_value(annotation.expression)) is None or not _spells(annotation.written, value)
    )


def _lenient_value(expression: str) -> Rational | None:
    value = _evaluate(expression)
    if value is None and len(expression) <= MAX_EXPRESSION_CHARACTERS:
        plain = _MISPLACED_COMMA.sub("", _CURRENCY.sub("", characters.plain(expression)))
        return _evaluate(_PERCENT.sub(r"(\1/100)", _TIMES.sub("*", plain)))
    return value


def _spells(written: str, value: Rational) -> bool:
    if written.isascii() and written.isdigit() and len(written) < MAX_EXPRESSION_CHARACTERS:
        return int(written) == value
    if rationals.parse_rational(written) == value:
        return True
    plain = _MISPLACED_COMMA.sub("", _CURRENCY.sub("", characters.plain(written))).strip()
    if plain.endswith("%"):
        return any(_right_to_its_digits(plain[:-1].rstrip(), each) for each in (value, value * 100))
    return _right_to_its_digits(plain, value)


def _right_to_its_digits(written: str, value: Rational) -> bool:
    shown = rationals.parse_rational(written)
    if shown is None or shown == value:
        return shown is not None
    decimals = len(written.partition(".")[2])
    off = abs(shown - value)
    return decimals > 0 and off <= max(Fraction(1, 2 * 10**decimals), abs(Fraction(value)) * _NOISE)


def _shown(value: Rational) -> str:
    return format_value(Fraction(value)) or str(value)


def _tokens(expression: str) -> list[Rational | str] | None:
    if len(expression) > MAX_EXPRESSION_CHARACTERS:
        return None
    tokens: list[Rational | str] = []
    for number, symbol, other in _TOKEN.findall(expression):
        token = (int(number) if number.isdigit() else rationals.parse_rational(number)) if number else symbol
        if other or token is None:
            return None
        tokens.append(token)
    return tokens


def _apply_while_binding(precedence: int, operators: list[str], values: list[Rational]) -> bool:
    """Apply the operators on the stack that bind at least as tightly; False at a division by zero."""
    while operators and operators[-1] != "(" and _PRECEDENCE[operators[-1]] >= precedence:
        name, right = operators.pop(), values.pop()
        if name in ("negate", "keep"):
            values.append(-right if name == "negate" else right)
            continue
        if name == "/" and right == 0:
            return False
        values.append(_BINARY[name](values.pop(), right))
    return True
