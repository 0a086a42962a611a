"""The paper's replacements, one by one, and that values survive them."""

import hypothesis
import hypothesis.strategies as st
import pytest

from procsup_jax.text import latex


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (r"$x \geq 3 \ge 2$", "x >= 3 >= 2"),
        (r"$x \leq 3 \le 2$", "x <= 3 <= 2"),
        (r"$x \neq 3 \ne 2$", "x != 3 != 2"),
        (r"a \implies b \rightarrow c", "a -> b -> c"),
        (r"1, \ldots, 2 \cdots \dots", "1, ..., 2 ... ..."),
        (r"$2 \times 3 \cdot 4$", "2*3*4"),
        (r"$8 \div 4$", "8/4"),
        (r"$2\pi$", "2pi"),
        (r"a\quad b\allowbreak c\hspace{3em}d", "a b cd"),
        (r"\text{a}\textnormal{b}\textrm{c}\textit{d}\textbf{e}\emph{f}\mbox{g}\mathrm{h}", "abcdefgh"),
        (r"\bf{X} {\bf Y} \small{Z}", "X Y Z"),
        ("2 + 3 - 4 * 5 / 6", "2+3-4*5/6"),
        (r"$$x = 2$$", "x = 2"),
        (r"so \[x = 2\]then", "so x = 2 then"),
        (r"$\frac{3}{4}$ of \tfrac{1}{2} and \dfrac{5}{6}", "3/4 of 1/2 and 5/6"),
        (r"\frac34 and \frac 59 and \frac{270}7", "3/4 and 5/9 and 270/7"),
        (r"$\left(\frac{1}{2}\right)$", "(1/2)"),
        (r"$\$36$ and 28\%", "$36 and 28%"),
        (r"10{,}000 and 30,\!240 and 111, \! 111", "10,000 and 30,240 and 111,111"),
        (r"$8\frac47$ and 11 \frac{2}{3}", "8 4/7 and 11 2/3"),
        (r"\frac{a+b}{c}", "(a+b)/c"),
        (r"\frac{-1}{4}", "-1/4"),
        (r"\frac{4}{\frac{4}{9}}", "4/(4/9)"),
        (r"\frac{6\sqrt{10}}{7}", r"6\sqrt{10}/7"),
        (r"by $\frac{1}{2}$", "by 1/2"),
        (r"\text{a \textbf{b}}", "a b"),
        (r"\boxed{\frac{1}{2}}", r"\boxed{1/2}"),
        (r"\leftarrow \pitch \neg", r"\leftarrow \pitch \neg"),
        (r"1 \\[2pt] 2", r"1 \\[2pt] 2"),
        ("no LaTeX at all", "no LaTeX at all"),
    ],
)
def test_replacements(text, plain):
    assert latex.plain_text(text).strip() == plain


@hypothesis.given(text=st.text(r"\{}$ frac4boxed[],!+-", max_size=30))
@hypothesis.settings(max_examples=300)
def test_never_raises_and_leaves_no_math_mode(text):
    plain = latex.plain_text(text)
    assert plain.count("$") == latex.plain_text(text.replace(r"\$", "")).count("$") + text.count(r"\$")


@hypothesis.given(top=st.integers(-99, 99), bottom=st.integers(1, 99), whole=st.integers(0, 9))
def test_fractions_keep_their_value(top, bottom, whole):
    assert latex.plain_text(rf"$\frac{{{top}}}{{{bottom}}}$") == f"{top}/{bottom}"
    assert latex.plain_text(rf"{whole}\frac{{{abs(top)}}}{{{bottom}}}") == f"{whole} {abs(top)}/{bottom}"


def test_unbalanced_braces_stay_quick():
    text = r"\frac{" * 2000 + r"\text{" * 2000
    assert latex.plain_text(text) == text


@hypothesis.given(text=st.text(" \t0aboxed[],!+-*/>.=}^_()%#&", max_size=30))
def test_a_text_without_latex_is_read_as_one_with_a_brace_is(text):
    assert latex.plain_text(text) + "{" == latex.plain_text(text + "{")
