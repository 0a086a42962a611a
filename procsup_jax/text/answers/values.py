r"""A final answer's normal form: plain text without markup, LaTeX, dollar signs and an equation's left side."""

from __future__ import annotations

import functools
import re

from procsup_jax.text import calculator, characters, latex, rationals

# Longer texts are no answers: they are compared as they stand.
MAX_CHARACTERS = 1000
BLANKS = "".join(character for character in map(chr, range(0x3001)) if character.isspace())
# What tokenizers and chat templates write around texts, where it was left in: </s>, <|im_end|>, <end_of_turn>.
SPECIAL_TOKEN = re.compile(
    r"</?s>|<\|[^|<>\s]{1,40}\|>|<\uff5c[^\uff5c<>\n]{1,40}\uff5c>|</?(?:eos|bos|pad|unk|start_of_turn|end_of_turn)>|\[/?INST\]"
)
_SIGN_AND_DOLLAR = re.compile(r"\A([+-])(?:\$\s*)+")
_MARKUP = '*_`"$'
_QUOTED = re.compile(r"'([^']*)'")
_STRAY = re.compile(r"\\(?=[0-9])")  # a backslash whose dollar sign was lost
# LaTeX that stands around answers more than in problems, as what `text.latex` knows.
_FONT = re.compile(r"\\(?:math(?:bf|sf|it|tt)|text(?:sf|tt|normal)|boldsymbol|bm|operatorname)(?=\s*\{)")
_FRACTION = re.compile(r"\\cfrac(?![A-Za-z])")
_TAGS = re.compile(r"</?(?:answer|b|strong|i|em|u|code|p|span|div)>", re.IGNORECASE)
# The sign of equality between a left side that only names or computes the value, and the value.
_EQUAL = re.compile(r"(?<![<>!=:])=(?!=)|\\approx(?![A-Za-z])")
_NAME = r"(?:[A-Za-z]{0,2}\\[a-z]+[ {]?)?[A-Za-z][A-Za-z' ]*\}?"
# Of words of three letters and more, as shorter ones may be unknowns: 15 gallons * 8, but not 2x + 3y.
_COMPUTATION = r"(?:[-+*/(). ,%0-9]| x |\bof\b|[A-Za-z]{3,}+)*"
_LEFT_SIDE = re.compile(
    rf"\s*(?:[A-Za-z]\w{{0,8}}\([^()]{{1,20}}\)|[A-Za-z]\w{{0,2}}_\{{?\w{{1,8}}\}}?|{_NAME}|{_COMPUTATION})\s*",
    re.ASCII,
)


def normalise_answer(text: str) -> str:
    r"""Return the normal form of a final answer; normalising twice changes nothing.

    A number loses its thousands marks, its plus sign, decimals of zero and dollar signs. Blanks and markup around an
    answer go, so do trailing full stops, special tokens and invisible characters; LaTeX becomes plain text where
    `text.latex` says how, `\frac{3}{4}` gives `3/4`; other systems' minus signs, digits and fractions become plain
    ones. Of an equation whose left side is a name or a computation the right side stays. Fractions stay as written,
    and so does anything with a unit.
    """
    if len(text) > MAX_CHARACTERS:
        text = _bare(text)
    if len(text) <= MAX_CHARACTERS:
        return _normal_form(text)
    number = _number(text)
    return text if number is None else number


def _bare(text: str) -> str:
    return text.lstrip(BLANKS + "$").rstrip(BLANKS + ".")


@functools.lru_cache(maxsize=1 << 16)
def _normal_form(text: str) -> str:
    number = _number(_bare(text))
    if number is not None:
        return number
    while (simpler := _normalised(text)) != text:
        text = simpler
    return text


def _number(text: str) -> str | None:
    return rationals.plain_decimal(_SIGN_AND_DOLLAR.sub(r"\1", text))


def _normalised(text: str) -> str:
    text = characters.plain(SPECIAL_TOKEN.sub("", text))
    if "<" in text:
        text = _TAGS.sub("", _without_annotations(text))
    text = _FONT.sub(r"\\text", _FRACTION.sub(r"\\frac", text.replace("~", " ")))
    text = _unwrapped(latex.plain_text(" ".join(text.split())))
    text = _right_side(text)
    number = _number(text)
    return text if number is None else number


def _without_annotations(text: str) -> str:
    """Drop calculator annotations; one that is all there is gives its value."""
    found = calculator.annotations(text)
    if not found:
        return text
    starts, ends = [0, *(each.end for each in found)], [*(each.start for each in found), len(text)]
    rest = "".join(text[a:b] for a, b in zip(starts, ends, strict=True))
    return rest if rest.strip(BLANKS + _MARKUP + ".=") else found[-1].written


def _unwrapped(text: str) -> str:
    """Strip blanks, emphasis, code and quotation marks, and what ends a sentence."""
    text = _STRAY.sub("", " ".join(text.split())).replace("$", "")
    text = text.lstrip(_MARKUP + " :").rstrip(_MARKUP + " .,;:?")
    if (quoted := _QUOTED.fullmatch(text)) is not None:
        text = quoted[1]
    for opening, closing in ("()", "{}", "[]"):
        if text.endswith(closing) and opening not in text and "[" not in text and "(" not in text:
            text = text.rstrip(closing)
    return text.strip(" ")


def _right_side(text: str) -> str:
    """Return what stands behind the last sign of equality, where all that stands before it names or computes it."""
    *left, right = _EQUAL.split(text)
    if not left or not right.strip() or not all(_LEFT_SIDE.fullmatch(each.strip(" ")) for each in left):
        return text
    return right.strip(" ")
