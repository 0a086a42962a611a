"""Which strings are numbers."""

from fractions import Fraction

import hypothesis
import hypothesis.strategies as st
import pytest

from procsup_jax.text import rationals


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("so Ann has 5 - 3 = 2 apples", "2"),
        ("5-3", "3"),
        ("it is -3 degrees", "-3"),
        ("= -3.50.", "-3.5"),
        ("costs $1,234.50, all told", "1234.5"),
        ("costs -$5", "-5"),
        ("in 2019, 3,000 of 4,000", "4000"),
        ("1,2,3", "3"),
        ("(7)-4", "4"),
        ("x2", "2"),
        ("half, .5", "0.5"),
        ("none", None),
        ("", None),
    ],
)
def test_numbers_in_text(text, number):
    assert rationals.numbers(text)[-1:] == ([] if number is None else [number])
    value = rationals.last_value(text)
    assert value == (None if number is None else Fraction(number))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("it is 3/4", Fraction(3, 4)),
        ("-$10 / 4.", Fraction(-5, 2)),
        ("1/0", 1),
        ("1,000/8 of it", 125),
        ("9" * 5000, None),
    ],
)
def test_the_last_value_may_be_a_fraction(text, value):
    assert rationals.last_value(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("1 7/9", Fraction(16, 9)), ("-1 1/2", Fraction(-3, 2)), ("10 000", 10_000), ("1'000.5", Fraction(2001, 2))]
    + [("2.5/5", Fraction(1, 2)), ("1,000/3", Fraction(1000, 3)), ("3/-4", Fraction(-3, 4)), (".5/.25", 2)],
)
def test_marks_mixed_numbers_and_fractions_of_decimals(text, value):
    assert rationals.parse_rational(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "1e3",
        "1/0",
        "1/2/3",
        "1_0",
        "²",
        "٣",
        "1 2",
        "1 23",
        "1 2/0",
        "1/-0",
        "1 -2/3",
        "nan",
        "inf",
        "9" * 5000,
    ],
)
def test_what_is_no_number(text):
    assert rationals.parse_rational(text) is None


@hypothesis.given(value=st.fractions())
def test_fractions_parse_exactly(value):
    assert rationals.parse_rational(f"{value.numerator}/{value.denominator}") == value


@hypothesis.given(text=st.text("0123456789.,+-", max_size=10))
@hypothesis.settings(max_examples=300)
def test_the_plain_form_has_the_same_value_and_is_its_own_plain_form(text):
    plain = rationals.plain_decimal(text)
    if plain is None:
        assert rationals.parse_rational(text) is None
    else:
        assert rationals.plain_decimal(plain) == plain
        assert rationals.parse_rational(text) == Fraction(plain)
