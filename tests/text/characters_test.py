"""Plain characters for others that stand for them."""

import hypothesis
import hypothesis.strategies as st
import pytest

from procsup_jax.text import characters


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("2 \u2212 7 = \u22125", "2 - 7 = -5"),
        ("\uff11\uff12\uff0c\uff10\uff10\uff10", "12,000"),
        ("1\u00bd", "1 1/2"),
        ("10\u202f000\u00a0km", "10 000 km"),
        ("1\u200b2\ufeff", "12"),
        ("x\u00b2", "x^2"),
        ("5\u00d73\u00f72", "5*3/2"),
        ("\u0663", "\u0663"),  # digits of other scripts stay
        ("\u2460", "\u2460"),  # and so does a circled one
        ("a\nb\u2028c", "a\nb\u2028c"),
    ],
)
def test_plain(text, plain):
    assert characters.plain(text) == plain


@hypothesis.given(text=st.text(max_size=30))
def test_plain_text_stays_plain(text):
    assert characters.plain(characters.plain(text)) == characters.plain(text)
    assert characters.plain(text.encode("ascii", "ignore").decode()) == text.encode("ascii", "ignore").decode()
