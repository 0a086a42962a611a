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
        "<<1/3=0.34>> <<2*3=>> <<0-5=5>>",
    ]
    assert calculator.faults(steps) == (
        CalculatorFault(1, "1+2", "4", "3"),
        CalculatorFault(1, "560//10", "56", None),
        CalculatorFault(2, "1/3", "0.34", "1/3"),
        CalculatorFault(2, "2*3", "", "6"),
        CalculatorFault(2, "0-5", "5", "-5"),
    )


@pytest.mark.parametrize(
    "annotation",
    ["10/3=3.33", "2/3=.67", "1/8=0.12", "1/8=0.13", "1.87*9=16.830000000000002", "0.1+0.2=0.30000000000000004"]
    + ["50%*4=2", "50 % * 4 = 2", "50% of 4=2", "1/3=33.3%", "1/2*100=50%", "5\u00d73=15", "5x3=15", "3\u22125=\u22122"]
    + ["6\u00f72=3", "1,00*1=100", "2*50=1,00", "$5*3=$15", "\uff15*3=15", "-10/3=-3.33"],
)
def test_what_is_right_to_the_digits_shown_is_no_fault(annotation):
    assert calculator.faults([f"<<{annotation}>>"]) == ()


@pytest.mark.parametrize(
    ("annotation", "value"),
    [("10/3=3.34", "10/3"), ("2/3=0.66", "2/3"), ("10/3=3", "10/3"), ("7/2=4", "3.5"), ("7/2=3", "3.5")]
    + [("50%*4=200", "2"), ("1/3=34%", "1/3"), ("5\u00d73=16", "15"), ("3\u22125=2", "-2"), ("1,00*1=1", "100")]
    + [("5/0=5", None), ("1$-8=4", None), ("2x*3=6", None), ("5%%=5", None), ("9" * 300 + "=9", None)],
)
def test_what_is_wrong_stays_a_fault(annotation, value):
    assert [fault.value for fault in calculator.faults([f"<<{annotation}>>"])] == [value]


def test_the_exact_calculator_reads_none_of_the_leniencies():
    for expression in ("50%*4", "5\u00d73", "5x3", "3\u22125", "1,00*1", "$5*3", "\uff15*3"):
        assert calculator.evaluate(expression) is None


@hypothesis.given(value=st.fractions(-1000, 1000, max_denominator=99), places=st.integers(1, 8))
def test_every_rounding_is_right_and_the_next_number_is_not(value, places):
    unit = Fraction(1, 10**places)
    shown = round(value / unit) * unit
    for written, right in ((shown, True), (shown + unit, abs(shown + unit - value) * 2 <= unit)):
        text = f"{float(written):.{places}f}"
        assert (calculator.faults([f"<<{value.numerator}/{value.denominator}={text}>>"]) == ()) == right
