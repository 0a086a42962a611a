"""Where a final answer stands, its normal form, and equality."""

import fractions

import hypothesis
import hypothesis.strategies as st
import pytest

from procsup_jax.text import answers

ANSWER_TEXT = st.text("0123456789$.,+-/ \\t\x0b\u3000abA:{}", max_size=12) | st.text(max_size=12)


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        ("2+2 = 4\n#### 4", "4"),
        ("#### 1,234", "1234"),
        ("#### 4\nOops.\n#### 5", "5"),
        ("#### 4\nThen more text 9", "4"),
        ("#### -3", "-3"),
        ("#### 29.00", "29"),
        ("#### $ 18.", "18"),
        ("So it is 5.\nFinal answer: 5", "5"),
        ("Final Answer: 5.", "5"),
        ("Final answer: 9 apples", "9 apples"),
        ("A: 7", "7"),
        ("  A: 7", "7"),
        ("Q: How many? A: 7", "7"),
        ("Q: How many?\nA: 7", "7"),
        ("Thus \\boxed{12}.", "12"),
        ("\\boxed{\\frac{1}{2}} as {we} said", "\\frac{1}{2}"),
        ("#### 3 or \\boxed{4}", "4"),
        ("\\boxed{4} or\n#### 3", "3"),
        ("\\boxed{1} and \\boxed{2}", "2"),
        ("####  6 ", "6"),
    ],
)
def test_the_last_marker_gives_the_answer(solution, answer):
    assert answers.extract_answer(solution) == answer


@pytest.mark.parametrize(
    "solution",
    ["", "The answer is 4", "Plan A: 5 boxes", "in the USA: 5", "#### ", "#### \n5", "Final answer:", "Q: How many? A:"]
    + ["####5", "\\boxed{5", "\\boxed{}", "\\boxed", "####", "#### 4\n#### ", "#### .", "a: 5", "Q: the USA: 5"],
)
def test_no_marker_or_nothing_after_it_gives_none(solution):
    assert answers.extract_answer(solution) is None


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        (" 5 ", "5"),
        ("$5", "5"),
        ("$ 5.", "5"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("5.", "5"),
        ("+5", "5"),
        ("-0", "0"),
        ("-0.00", "0"),
        ("29.00", "29"),
        ("29.50", "29.5"),
        (".5", "0.5"),
        ("007", "7"),
        ("0", "0"),
        ("1,234,567.80", "1234567.8"),
        ("12,34", "12,34"),
        ("1,2345", "1,2345"),
        ("1234,567", "1234,567"),
        ("3/4", "3/4"),
        ("9 apples", "9 apples"),
        ("1,000 apples", "1,000 apples"),
        ("- 5", "- 5"),
        ("$-$5", "-5"),
        ("$\x0b$5 .\x0b.", "5"),
        ("a.\x0b.", "a"),
        ("٣", "٣"),
        ("...", ""),
    ],
)
def test_normal_forms(text, normal):
    assert answers.normalise_answer(text) == normal


@hypothesis.given(text=ANSWER_TEXT)
@hypothesis.settings(max_examples=300)
def test_normalising_twice_changes_nothing(text):
    once = answers.normalise_answer(text)
    assert answers.normalise_answer(once) == once
    assert answers.same_answer(text, once)


@hypothesis.given(value=st.integers(-(10**9), 10**9), places=st.integers(0, 4))
def test_every_spelling_of_a_whole_number_is_equal(value, places):
    spelled = f"{value:,}" + ("." + "0" * places if places else "")
    assert answers.normalise_answer(spelled) == str(value)
    assert answers.same_answer(f"${spelled}", str(value))
    assert not answers.same_answer(spelled, str(value + 1))
    assert value == 0 or not answers.same_answer(str(value), str(-value))


@hypothesis.given(a=st.fractions(max_denominator=40), b=st.fractions(max_denominator=40))
def test_fractions_are_equal_as_exact_rationals(a, b):
    assert answers.same_answer(f"{a.numerator * 3}/{a.denominator * 3}", str(a))
    assert answers.same_answer(str(a), str(b)) == (a == b)
    assert answers.answer_key(str(a)) == a


def test_decimals_and_fractions_meet_but_units_and_division_by_zero_do_not():
    assert answers.same_answer("0.75", "3/4")
    assert answers.answer_key("6 / 8") == fractions.Fraction(3, 4)
    assert not answers.same_answer("9 apples", "9")
    assert not answers.same_answer("1/0", "2/0")
    assert answers.same_answer("1/0", "1/0")
    assert not answers.same_answer("0.333", "1/3")
    assert not answers.same_answer("9" * 6000, "8" * 6000)


@hypothesis.given(inside=st.text("ab5{}\\", max_size=12))
def test_boxed_is_balanced(inside):
    found = answers.boxed("\\boxed{" + inside + "} }")
    balanced, depth = True, 0
    for character in inside:
        depth += {"{": 1, "}": -1}.get(character, 0)
        balanced &= depth >= 0
    if balanced and depth == 0 and "\\boxed{" not in inside:
        assert found == inside
    assert found is None or found.count("{") == found.count("}")


def test_markers_are_seen_without_an_answer_too():
    assert answers.has_answer_marker("#### ") and answers.has_answer_marker("so \\boxed{")
    assert not answers.has_answer_marker("Plan A: 5") and not answers.has_answer_marker("### 5")


def test_long_lines_of_short_markers_stay_quick():
    assert answers.extract_answer("xA:" * 20_000) is None


def test_a_missing_answer_equals_nothing_and_an_empty_one_is_none():
    assert not answers.same_answer(None, None) and not answers.same_answer(None, "")
    assert answers.same_answer("1/2", ".5") and not answers.same_answer("0.3333333333333333", "1/3")
    assert answers.is_answer("0") and not any(map(answers.is_answer, (None, "", " ", "$")))
