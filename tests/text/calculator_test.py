"""The exact calculator, against Python's own reading of the expressions it was built from."""

from fractions import Fraction

import hypothesis
import hypothesis.strategies as st
import pytest

from procsup_jax.text import calculator
from procsup_jax.types import CalculatorFault


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("48/2", 24),
        ("2+3*4", 14),
        ("(2+3)*4", 20),
        ("10-4-3", 3),
        ("100/5/2", 10),
        ("2*-3", -6),
        ("-2*-3", 6),
        ("2--3", 5),
        ("--3", 3),
        ("-(2+3)", -5),
        ("+8", 8),
        ("3*+6", 18),
        ("1/3*3", 1),
        (".5*4", 2),
        ("10.*2", 20),
        ("0.1+0.2", Fraction(3, 10)),
        ("1,200*2", 2400),
        (" 48 / 2 ", 24),
        ("((((7))))", 7),
        ("007", 7),
    ],
)
def test_values(expression, value):
    assert calculator.evaluate(expression) == value


@pytest.mark.parametrize(
    "expression",
    [
        "",
        " ",
        "1/0",
        "1/(2-2)",
        "2//3",
        "2**3",
        "2^3",
        "1+",
        "*2",
        "(1+2",
        "1+2)",
        "()",
        "2(3)",
        "(2)(3)",
        "(2)3",
        "4 8",
    ]
    + ["x", "1e3", "1.2.3", ".", "1,23", "1,,234", "12%", "$5", "1_000", "٣", "1\n+1", "0x10", "(1)+)", "-", "1+(*2)"],
)
def test_not_computable(expression):
    assert calculator.evaluate(expression) is None


def test_length_is_bounded_and_depth_does_not_recurse():
    longest = calculator.MAX_EXPRESSION_CHARACTERS
    deep = longest // 2 - 1
    assert calculator.evaluate("(" * deep + "1" + ")" * deep) == 1
    assert calculator.evaluate("-" * (longest - 1) + "1") == -1
    assert calculator.evaluate("9" * longest) == int("9" * longest)
    assert calculator.evaluate("9" * (longest + 1)) is None


Tree = tuple[str, "Fraction | None"]


def _binary(children: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    def join(left: Tree, operator: str, right: Tree) -> Tree:
        text = f"({left[0]}){operator}({right[0]})"
        if left[1] is None or right[1] is None or (operator == "/" and right[1] == 0):
            return text, None
        operations = {"+": Fraction.__add__, "-": Fraction.__sub__, "*": Fraction.__mul__, "/": Fraction.__truediv__}
        return text, operations[operator](left[1], right[1])

    negated = children.map(lambda tree: (f"-({tree[0]})", None if tree[1] is None else -tree[1]))
    return st.builds(join, children, st.sampled_from("+-*/"), children) | negated


LEAVES = st.decimals(0, 999, places=2).map(lambda d: (str(d), Fraction(d))) | st.integers(0, 99).map(
    lambda i: (str(i), Fraction(i))
)


@hypothesis.given(tree=st.recursive(LEAVES, _binary, max_leaves=8))
@hypothesis.settings(max_examples=200)
def test_agrees_with_the_tree_an_expression_was_built_from(tree):
    text, value = tree
    hypothesis.assume(len(text) <= calculator.MAX_EXPRESSION_CHARACTERS)
    assert calculator.evaluate(text) == value


@hypothesis.given(
    numbers=st.lists(st.integers(0, 50), min_size=2, max_size=7),
    operators=st.lists(st.sampled_from("+-*/"), min_size=6, max_size=6),
)
def test_agrees_with_precedence_worked_out_by_terms(numbers, operators):
    text, terms = str(numbers[0]), [Fraction(numbers[0])]
    for operator, number in zip(operators, numbers[1:], strict=False):
        text += operator + str(number)
        if operator in "+-":
            terms.append(Fraction(number if operator == "+" else -number))
        elif operator == "*":
            terms[-1] *= number
        elif number == 0:
            assert calculator.evaluate(text) is None
            return
        else:
            terms[-1] /= number
    assert calculator.evaluate(text) == sum(terms)


@hypothesis.given(text=st.text("0123456789+-*/(). ,", max_size=24))
@hypothesis.settings(max_examples=300)
def test_never_raises(text):
    value = calculator.evaluate(text)
    assert value is None or isinstance(value, Fraction)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(24), "24"),
        (Fraction(-1, 2), "-0.5"),
        (Fraction(1, 3), None),
        (Fraction(1, 400), "0.0025"),
        (Fraction(0), "0"),
        (Fraction(2920000000), "2920000000"),
        (Fraction(25, 2), "12.5"),
        (Fraction(10**5000), None),
    ],
)
def test_format_value(value, text):
    assert calculator.format_value(value) == text


@hypothesis.given(value=st.decimals(-(10**6), 10**6, places=5))
def test_formatted_values_are_exact_and_shortest(value):
    text = calculator.format_value(Fraction(value))
    assert text is not None and Fraction(text) == Fraction(value)
    assert text == "0" or not ("." in text and text.endswith("0")) and text.lstrip("-")[0] != "."
    assert calculator.evaluate(text) == Fraction(value)


def test_annotations_are_found_in_order_with_their_places():
    text = "a <<1+2=3>>3, b <<4*5=20>>20 << 5 >> <<6+7=13 <<=>>"
    found = calculator.annotations(text)
    assert [(a.expression, a.written) for a in found] == [("1+2", "3"), ("4*5", "20"), ("", "")]
    assert [text[a.start : a.end] for a in found] == ["<<1+2=3>>", "<<4*5=20>>", "<<=>>"]


def test_faults_are_wrong_values_and_expressions_that_cannot_be_computed():
    steps = [
        "<<1+2=3>> <<1+2=3.00>> <<1/2=.5>> <<1/3=1/3>> <<2*500=1,000>>",
        "<<1+2=4>> and <<560//10=56>>",
        "<<1/3=0.33>> <<2*3=>> <<0-5=5>>",
    ]
    assert calculator.faults(steps) == (
        CalculatorFault(1, "1+2", "4", "3"),
        CalculatorFault(1, "560//10", "56", None),
        CalculatorFault(2, "1/3", "0.33", "1/3"),
        CalculatorFault(2, "2*3", "", "6"),
        CalculatorFault(2, "0-5", "5", "-5"),
    )
