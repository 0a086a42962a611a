import warnings
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procsup_jax.data.worlds import algebra
from procsup_jax.text import calculator


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("5+3", "3+5"),
        ("2*(5+3)", "5*2+3*2"),
        ("(5+3)*2", "2*5+2*3"),
        ("9-(4-2)", "9-4+2"),
        ("5+5+5", "5+(5+5)"),
        ("8/2", "(8)/2"),
        ("(6+4)/2", "6/2+4/2"),
        ("-3+5", "5-3"),
        ("5.0+3", "5+3"),
    ],
)
def test_rearranged_expressions_are_equal(left: str, right: str) -> None:
    assert algebra.parse(left) == algebra.parse(right) is not None


@pytest.mark.parametrize(
    ("left", "right"),
    [("2+2", "2*2"), ("5+3", "4+4"), ("8", "5+3"), ("6/2", "3"), ("3*5", "5+5+5"), ("9-5", "4"), ("4/2", "4-2")],
)
def test_equal_values_of_other_numbers_are_told_apart(left: str, right: str) -> None:
    first, second = algebra.parse(left), algebra.parse(right)
    assert first is not None and second is not None
    assert first != second
    assert algebra.value_of(first) == algebra.value_of(second)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "5+",
        "5**2",
        "5//2",
        "2(3)",
        "(2)(3)",
        "(2)3",
        "5/0",
        "5/(2+3)",
        "a+1",
        "1,000",
        "()",
        "5 3",
        "((((",
        "07",
    ]
    + ["(" * 40 + "1" + ")" * 39, "(1+2+3+4+5+6+7+8+9)*(1+2+3+4+5+6+7+8+9)", "1+" * 60 + "1", "５+3", "1e3", "1_0"],
)
def test_anything_else_is_none(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert algebra.parse(text) is None


@given(st.text(alphabet="0123456789+-*/(). ", max_size=24))
def test_value_agrees_with_the_calculator(text: str) -> None:
    polynomial = algebra.parse(text)
    if polynomial is not None:
        assert algebra.value_of(polynomial) == calculator.evaluate(text)


EXPRESSIONS = st.recursive(
    st.integers(1, 99).map(str),
    lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(
        lambda parts: f"({parts[0]}{parts[1]}{parts[2]})"
    ),
    max_leaves=6,
)


@given(EXPRESSIONS, EXPRESSIONS, EXPRESSIONS)
def test_ring_laws(a: str, b: str, c: str) -> None:
    def parse(text: str) -> algebra.Polynomial | None:
        return algebra.parse(text) if len(text) <= 80 else None

    assert parse(f"{a}+{b}") == parse(f"{b}+{a}")
    assert parse(f"{a}*{b}") == parse(f"{b}*{a}")
    assert parse(f"{a}-({b}-{c})") == parse(f"{a}-{b}+{c}")


def test_numbers_are_the_written_ones() -> None:
    polynomial = algebra.parse("2*(5+3)-4/0.5")
    assert polynomial is not None
    assert algebra.numbers(polynomial) == {Fraction(n) for n in (2, 5, 3, 4)} | {Fraction(1, 2)}
