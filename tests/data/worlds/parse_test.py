from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procsup_jax.data.worlds.graph import Fact, Question
from procsup_jax.data.worlds.parse import ParsedStep, parse_step

MORE = Fact("more", "Bob", 3, ("Ann",))
ADDED = ParsedStep(MORE, None, (), "5+3", Fraction(8), "Bob", Fraction(8))


@pytest.mark.parametrize(
    ("step", "parsed"),
    [
        ("Bob got 3 more than Ann: <<5+3=8>> Bob has 8", ADDED),
        ("- Bob got 3 more than Ann: 5+3=8, Bob has 8", ADDED),
        ("2. Bob got 3 more than Ann: 5 + 3 = 8.", ParsedStep(MORE, None, (), "5 + 3", Fraction(8))),
        ("Bob got 3 more than Ann: Bob has 8", ParsedStep(MORE, subject="Bob", value=Fraction(8))),
        ("Bob got 3 more than Ann", ParsedStep(MORE)),
        ("Bob has 5+3=<<5+3=8>>8 apples", ParsedStep(None, None, (), "5+3", Fraction(8), "Bob", Fraction(8))),
        ("<<5+3=8>> Bob has 8", ParsedStep(None, None, (), "5+3", Fraction(8), "Bob", Fraction(8))),
        ("Bob has 8 apples", ParsedStep(subject="Bob", value=Fraction(8))),
        ("Ann minus Bob", ParsedStep(question=Question("difference", ("Ann", "Bob")))),
        ("Ann minus 7", ParsedStep(question=Question("left", ("Ann",), 7))),
        ("A and Bob and Cid together", ParsedStep(question=Question("total", ("A", "Bob", "Cid")))),
        ("bags of 10 for Ann: <<37/10=3.7>> it is 3",
         ParsedStep(None, Question("bags", ("Ann",), 10), (), "37/10", Fraction("3.7"), "it", Fraction(3))),
        ("Ann has 4 and Bob has 7: it is 7",
         ParsedStep(None, Question("most", ("Ann", "Bob")), (Fraction(4), Fraction(7)), None, None, "it", Fraction(7))),
        ("Bob got twice as many as Ann", ParsedStep(Fact("times", "Bob", 2, ("Ann",)))),
        ("Bob got half as many as Ann", ParsedStep(Fact("half", "Bob", None, ("Ann",)))),
        ("Bob needs 3 more to match Ann", ParsedStep(Fact("needs", "Bob", 3, ("Ann",)))),
        ("Bob can lose 3 to match Ann", ParsedStep(Fact("spare", "Bob", 3, ("Ann",)))),
        ("Bob got as many as Ann and Cid together", ParsedStep(Fact("sum", "Bob", None, ("Ann", "Cid")))),
    ],
)  # fmt: skip
def test_reads_the_parts(step: str, parsed: ParsedStep) -> None:
    assert parse_step(step) == parsed


@pytest.mark.parametrize(
    "step",
    [
        "",
        "Bob",
        "Bob got three more than Ann: <<5+3=8>> Bob has 8",
        "Bob got 3 more than Ann: <<5+3=8>> Bob has 8 and Ann has 5",
        "Bob got 3 more than Ann: <<5+3=8>> <<5+3=8>> Bob has 8",
        "Bob got 3 more than Ann: <<5+3=8 Bob has 8",
        "Bob got 3 more than Ann: 5+3=, Bob has 8",
        "Bob has 5+3=<<5+3=8>> Ann has 8",
        "Bob got 3 more than Ann: Bob has 8: Bob has 8",
        "Marked: right",
        "Bob got " + "9" * 13 + " more than Ann",
    ],
)
def test_ill_formed(step: str) -> None:
    assert parse_step(step) is None


@given(st.one_of(st.text(), st.text(alphabet="AnnBob gothas35+-=<>:.,morethan\n")))
def test_never_raises(text: str) -> None:
    parse_step(text)
