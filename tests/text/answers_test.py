"""Final answers: what is read in a solution and by which marker, the normal form, and equality.

`answers_cases.jsonl` is the specification of the flexible reading: solutions as other systems write them, a problem's
answer, and whether they are right.
"""

import fractions
import json
import pathlib
import time

import hypothesis
import hypothesis.strategies as st
import pytest

from procsup_jax.errors import UserError
from procsup_jax.text import answers
from procsup_jax.text.answers import symbolic

CASES = [
    json.loads(line)
    for line in pathlib.Path(__file__).with_name("answers_cases.jsonl").read_text(encoding="utf-8").splitlines()
]
ANSWER_TEXT = st.text("0123456789$.,+-/ \\t\x0b\u3000abA:{}", max_size=12) | st.text(max_size=12)
PIECES = (
    ["#### ", "####", "\n", "\\boxed{", "}", "{", "\\fbox{", "\\boxed", "Final Answer:", "the answer is ", "Answer: "]
    + ["A:", "Q:", "Question: ", "$", "**", "`", '"', "\\frac", "\\frac12", "\\text{", "\\left(", "\\,", "\\$", "\\%"]
    + ["%", "^\\circ", "\u2212", "\u00bd", "\u00b2", "\uff11", "\u202f", "\u200b", "1", "2", "12", ",", ".", " ", "/"]
    + ["-", "=", "x", "<<", "1+1=2", ">>", "</s>", "<|im_end|>", "<think>", "</think>", "(", ")", "[", "]", "\\{"]
    + ["\\}", " and ", "Step", "yes", "p.m.", "\\", "\0", "'", "~", "\r", "<b>", "*", "+", "!=", "\\approx", "_", ":"]
    + [";", "\\sqrt", "\\pi", "\\infty", "\u20ac", "USD", "<answer>", "</answer>", "-(", "\\!", "{,}", "\\mathbf{"]
)
SOLUTION = st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(max_size=20)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['what']}: {case['solution']!r} for {case['answer']}")
def test_what_language_models_write(case):
    assert answers.same_answer(answers.extract_answer(case["solution"]), case["answer"]) == case["correct"]


def test_cases_that_went_wrong_before():
    path = pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "cases" / "grade.jsonl"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    cases = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    wrong = [
        case["id"]
        for case in cases
        if answers.same_answer(answers.extract_answer(case["solution"]), case["answer"]) != case["correct"]
    ]
    assert len(cases) == 59 and not wrong


@pytest.mark.parametrize(
    ("solution", "answer", "marker"),
    [
        ("2+2 = 4\n#### 4", "4", "####"),
        ("####4", "4", "####"),
        ("#### 1,234", "1234", "####"),
        ("#### 4\nThen more text 9", "4", "####"),
        ("#### 29.00", "29", "####"),
        ("#### $ 18.", "18", "####"),
        ("#### .5", "0.5", "####"),
        ("#### 4\n#### ", "4", "####"),
        ("So it is 5.\nFinal answer: 5", "5", "final answer"),
        ("Final answer: 9 apples", "9 apples", "final answer"),
        ("**Final Answer**\n\n5", "5", "final answer"),
        ("The answer is 4", "4", "the answer is"),
        ("Answer: 4", "4", "answer"),
        ("  A: 7", "7", "A:"),
        ("<answer>7</answer>", "7", "<answer>"),
        ("\\boxed{\\frac{1}{2}} as {we} said", "1/2", "boxed"),
        ("\\fbox{4}", "4", "boxed"),
        ("#### 3 or \\boxed{4}", "4", "boxed"),
        ("\\boxed{4} or\n#### 3", "3", "####"),
        ("\\boxed{1} and \\boxed{2}", "2", "boxed"),
    ],
)
def test_the_marker_that_was_read_is_named(solution, answer, marker):
    assert answers.read_answer(solution) == answers.Found(answer, marker)


@pytest.mark.parametrize(
    "solution",
    ["", "Plan A: 5 boxes", "in the USA: 5", "#### ", "Final answer:", "Q: How many? A:", "\\boxed{5", "\\boxed{}"]
    + ["\\boxed", "####", "#### .", "a: 5", "Q: the USA: 5", "### 5", "#### Check\n1 + 1 = 2", "answers are 5 and 6"]
    + ["The answer is not clear.", "there is no answer", "</think>", "\\boxed{\\text{your answer}}"],
)
def test_no_marker_or_nothing_after_it_gives_none(solution):
    assert answers.extract_answer(solution) is None


@pytest.mark.parametrize(
    ("solution", "marker", "answer"),
    [
        ("#### 12", "#### ", "12"),
        ("####12", "#### ", None),
        ("####\n12", "#### ", None),
        ("The answer is 12", "#### ", None),
        ("\\boxed{12}", "#### ", None),
        ("#### 12\n\\boxed{13}", "#### ", "12"),
        ("#### 12</s>", "#### ", "12"),
        ("#### \u221212", "#### ", "-12"),
        ("#### 12\n#### ", "#### ", None),
        ("#### 12", "\\boxed{", None),
        ("\\boxed{12}", "\\boxed{", "12"),
        ("\\boxed{12} and \\boxed{}", "\\boxed{", None),
        ("Result: 12", "Result: ", "12"),
    ],
)
def test_the_strict_reading_knows_the_problems_own_marker_alone(solution, marker, answer):
    assert answers.extract_answer(solution, "strict", marker) == answer


def test_the_flexible_reading_knows_a_marker_of_ones_own_too():
    assert answers.read_answer("Result: 12\nDone.", marker="Result: ") == ("12", "Result:")
    assert answers.read_answer("Result: 12\nDone.") is None


@pytest.mark.parametrize(
    ("text", "gold"),
    [("18", "18"), ("#### 18", "18"), ("9*2=18\n#### 18", "18"), ("so \\boxed{18}", "18"), ("3:30 p.m", "3:30 p.m")]
    + [("The answer is 18.", "18"), ("", None), (" ", None), ("$.", None), ("Yes", "Yes"), ("1, 2", "1, 2")],
)
def test_a_problems_own_answer_may_be_a_trace(text, gold):
    assert answers.gold_answer(text) == gold


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        (" 5 ", "5"),
        ("$ 5.", "5"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("+5", "5"),
        ("-0.00", "0"),
        ("29.50", "29.5"),
        (".5", "0.5"),
        ("007", "7"),
        ("1,234,567.80", "1234567.8"),
        ("12,34", "12,34"),
        ("1,2345", "1,2345"),
        ("1234,567", "1234,567"),
        ("3/4", "3/4"),
        ("9 apples", "9 apples"),
        ("1,000 apples", "1,000 apples"),
        ("- 5", "-5"),
        ("$-$5", "-5"),
        ("$\x0b$5 .\x0b.", "5"),
        ("a.\x0b.", "a"),
        ("٣", "٣"),
        ("...", ""),
        ("\\dfrac{3}{4}", "3/4"),
        ("1\\frac{7}{9}", "1 7/9"),
        ("\\text{13}", "13"),
        ("\\$9{,}500", "9500"),
        ("50\\%", "50%"),
        ("x = 5", "5"),
        ("2x = 10", "2x = 10"),
        ("**12**", "12"),
        ("156^\\circ", "156^\\circ"),
    ],
)
def test_normal_forms(text, normal):
    assert answers.normalise_answer(text) == normal


@hypothesis.given(text=ANSWER_TEXT | SOLUTION)
@hypothesis.settings(max_examples=600)
def test_normalising_twice_changes_nothing(text):
    once = answers.normalise_answer(text)
    assert answers.normalise_answer(once) == once
    assert answers.same_answer(text, once)


@pytest.mark.parametrize("text", ["}", "5.", "\\frac12", "x = 3", "a b"])
def test_blanks_around_a_text_change_nothing_however_many(text):
    assert answers.normalise_answer(" " * 2000 + text + "\n" * 2000) == answers.normalise_answer(text)
    assert answers.extract_answer("#### " + " " * 2000 + text, "strict") == answers.extract_answer(
        f"#### {text}", "strict"
    )


@hypothesis.given(text=SOLUTION)
@hypothesis.settings(max_examples=600)
def test_any_text_is_read(text):
    for reading in ("flexible", "strict"):
        answer = answers.extract_answer(text, reading)
        assert answer is None or (answers.is_answer(answer) and answers.normalise_answer(answer) == answer)
    assert answers.extract_answer(text) is None or answers.has_answer_marker(text)
    gold = answers.gold_answer(text)
    assert gold is None or answers.is_answer(gold)


@hypothesis.given(texts=st.lists(SOLUTION, min_size=3, max_size=3))
def test_equality_is_an_equivalence(texts):
    a, b, c = texts
    assert answers.same_answer(a, a)
    assert answers.same_answer(a, b) == answers.same_answer(b, a)
    assert answers.same_answer(a, b) == (answers.answer_key(a) == answers.answer_key(b))
    assert not (answers.same_answer(a, b) and answers.same_answer(b, c)) or answers.same_answer(a, c)


@hypothesis.given(value=st.integers(-(10**9), 10**9), places=st.integers(0, 4))
def test_every_spelling_of_a_whole_number_is_equal(value, places):
    spelled = f"{value:,}" + ("." + "0" * places if places else "")
    assert answers.normalise_answer(spelled) == str(value)
    for text in (
        f"${spelled}",
        spelled.replace(",", "{,}"),
        spelled.replace(",", "\\,"),
        spelled.replace("-", "\u2212"),
    ):
        assert answers.same_answer(text, str(value))
        assert answers.extract_answer(f"The answer is {text}.") == str(value)
    assert not answers.same_answer(spelled, str(value + 1))
    assert value == 0 or not answers.same_answer(str(value), str(-value))


@hypothesis.given(a=st.fractions(max_denominator=40), b=st.fractions(max_denominator=40))
def test_fractions_are_equal_as_exact_rationals(a, b):
    assert answers.same_answer(f"{a.numerator * 3}/{a.denominator * 3}", str(a))
    assert answers.same_answer(f"\\frac{{{a.numerator}}}{{{a.denominator}}}", str(a))
    assert answers.same_answer(str(a), str(b)) == (a == b)
    assert answers.answer_key(str(a)) == a


@hypothesis.given(items=st.permutations(["1", "0.5", "x", "\\frac{1}{3}", "-2"]))
def test_lists_without_brackets_are_equal_in_any_order(items):
    assert answers.same_answer(", ".join(items), "1, 1/2, x, 1/3, -2")
    assert answers.same_answer("\\{" + ",".join(items) + "\\}", "1, 1/2, x, 1/3, -2")
    in_order = items == ["1", "0.5", "x", "\\frac{1}{3}", "-2"]
    assert answers.same_answer("(" + ", ".join(items) + ")", "(1, 1/2, x, 1/3, -2)") == in_order


def test_decimals_and_fractions_meet_but_units_and_division_by_zero_do_not():
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
    for text in ("#### ", "so \\boxed{", "Final answer:", "A:", "The answer is 5", "#### Dana"):
        assert answers.has_answer_marker(text), text
    for text in ("Plan A: 5", "### 5", "#### Check", "A: There were 15 of them and then some", "5 answers"):
        assert not answers.has_answer_marker(text), text


def test_a_missing_answer_equals_nothing_and_an_empty_one_is_none():
    assert not answers.same_answer(None, None) and not answers.same_answer(None, "")
    assert answers.same_answer("1/2", ".5") and not answers.same_answer("0.3333333333333333", "1/3")
    assert answers.is_answer("0") and not any(map(answers.is_answer, (None, "", " ", "$")))


HOSTILE = ["$", "{", "}", "#### ", "#### a ", "\\boxed{", "\\boxed{} ", "\\boxed 2", "A:", "\nA: x", "Q:", "Answer: "]
HOSTILE += ["the answer is ", "<think>", "</think>", "<|im_end|>", "\n", "Question:", " ", "**", "\\frac{", "\\text{"]
HOSTILE += ["(", "1,", "<answer>", "=", "x=", "\u00bd", "<<1=1>>", "a", "9", "Mr. ", "\\(", "-(", "\n#### Q: "]


@pytest.mark.parametrize("piece", HOSTILE)
def test_no_text_takes_quadratic_time(piece):
    """Two hundred thousand characters; a quadratic reading of them would take hours."""
    for opening, closing in (("The answer is ", ""), ("\\boxed{", "}")):
        text = opening + piece * (100_000 // len(piece)) + closing
        start = time.process_time()
        answers.extract_answer(text)
        answers.answer_key(text)
        assert time.process_time() - start < 5


def test_symbolic_equality_is_math_verifys_and_refused_without_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "math_verify", None)
    with pytest.raises(UserError, match=r"--symbolic needs the library math-verify.*pip install 'procsup_jax\[math\]'"):
        symbolic.symbolic_equality()


def test_symbolic_equality_holds_where_text_differs():
    pytest.importorskip("math_verify")
    equal = symbolic.symbolic_equality()
    for a, b in (("11+x", "x+11"), ("\\sqrt{12}", "2\\sqrt{3}"), ("2x+4", "2(x+2)"), ("0.5", "1/2")):
        assert equal(a, b)
    for a, b in (("x", "y"), ("east", "west"), ("5", "6"), (None, "x"), ("\\frac{", "x"), ("x" * 2000, "y")):
        assert not equal(a, b)
