"""Compare expressions as polynomials over the numbers written in them, so that equal values are told apart.

In `2+2` and `2*2` the twos are symbols: the values agree, the polynomials do not. Order, brackets and distribution
make no difference.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from fractions import Fraction

Monomial = tuple[tuple[Fraction, int], ...]  # (number, +1 factor or -1 divisor), sorted
Polynomial = frozenset[tuple[Monomial, int]]

_CHARACTERS = re.compile(r"[-+*/(). \d]{1,80}")
_CALL = re.compile(r"[\d.)] *\(|\) *[\d.]")  # `2(3)`: Python reads a call
_MAX_TERMS = 64


def symbol(number: Fraction | int, exponent: int = 1) -> Polynomial:
    """Return the polynomial of one written number, or of a division by it."""
    return frozenset({(((Fraction(number), exponent),), 1)})


def add(left: Polynomial, right: Polynomial, sign: int = 1) -> Polynomial:
    """Return left + sign * right."""
    return _collect([*left, *((monomial, sign * coefficient) for monomial, coefficient in right)])


def scale(polynomial: Polynomial, factor: int) -> Polynomial:
    """Return the sum of `factor` copies."""
    return frozenset((monomial, coefficient * factor) for monomial, coefficient in polynomial)


def multiply(left: Polynomial, right: Polynomial) -> Polynomial:
    """Return the product; raise ValueError when it has too many terms."""
    if len(left) * len(right) > _MAX_TERMS:
        raise ValueError("too many terms")
    return _collect((tuple(sorted(a + b)), m * n) for a, m in left for b, n in right)


def value_of(polynomial: Polynomial) -> Fraction:
    """Return the number that the polynomial comes to."""
    total = Fraction(0)
    for monomial, coefficient in polynomial:
        term = Fraction(coefficient)
        for number, exponent in monomial:
            term = term * number if exponent > 0 else term / number
        total += term
    return total


def numbers(polynomial: Polynomial) -> frozenset[Fraction]:
    """Return the written numbers that the polynomial holds."""
    return frozenset(number for monomial, _ in polynomial for number, _ in monomial)


def parse(expression: str) -> Polynomial | None:
    """Read an expression of numbers, + - * / and brackets; None when it is anything else or divides by a sum or 0."""
    if not _CHARACTERS.fullmatch(expression) or _CALL.search(expression):
        return None
    try:
        return _convert(ast.parse(expression.strip(), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _collect(terms: Iterable[tuple[Monomial, int]]) -> Polynomial:
    totals: dict[Monomial, int] = {}
    for monomial, coefficient in terms:
        totals[monomial] = totals.get(monomial, 0) + coefficient
    return frozenset((monomial, total) for monomial, total in totals.items() if total)


def _convert(node: ast.expr) -> Polynomial:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return symbol(Fraction(repr(node.value)))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return scale(_convert(node.operand), -1 if isinstance(node.op, ast.USub) else 1)
    if isinstance(node, ast.BinOp):
        left, right = _convert(node.left), _convert(node.right)
        if isinstance(node.op, ast.Add):
            return add(left, right)
        if isinstance(node.op, ast.Sub):
            return add(left, right, -1)
        if isinstance(node.op, ast.Mult):
            return multiply(left, right)
        if isinstance(node.op, ast.Div):
            return multiply(left, _inverse(right))
    raise ValueError("not an expression of + - * /")


def _inverse(polynomial: Polynomial) -> Polynomial:
    if len(polynomial) != 1:
        raise ValueError("division by a sum")
    ((monomial, coefficient),) = polynomial
    if abs(coefficient) != 1 or any(number == 0 for number, _ in monomial):
        raise ValueError("division by 0")
    return frozenset({(tuple(sorted((number, -exponent) for number, exponent in monomial)), coefficient)})
