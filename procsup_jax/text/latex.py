r"""LaTeX to plain text: the paper's ordered list of replacements for MATH, and a few more that keep values right.

What no rule names, such as `\sqrt`, `^\circ` or an `align` environment, stays as it is.
"""

from __future__ import annotations

import re

# A braced group with up to two more inside one another: all that MATH's pre-algebra problems hold.
_GROUP = r"\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}"
_PART = rf"\s*(?:{_GROUP}|([0-9A-Za-z]))"
_FRACTION = re.compile(rf"(?:([0-9])\s*)?\\[td]?frac{_PART}{_PART}")
_COMPOUND = re.compile(r".[-+*/ ]", re.DOTALL)
_DOLLAR = "\0"

# Not in the paper's list: escaped signs, thin spaces inside numbers (10{,}000, 30,\!240) and stretchy brackets.
_OUR_RULES = [
    (r"\\\$", _DOLLAR),
    (r"\s*\\!\s*", ""),
    (r"\{,\}", ","),
    (r"(?<!\\)\\[,;: ]", " "),
    (r"\\(?:left|right)(?![A-Za-z])", ""),
    (r"\\([%#&])", r"\1"),
]
_PAPER_RULES = [
    (r"\\geq?(?![A-Za-z])", ">="),
    (r"\\leq?(?![A-Za-z])", "<="),
    (r"\\neq?(?![A-Za-z])", "!="),
    (r"\\(?:implies|rightarrow)(?![A-Za-z])", "->"),
    (r"\\[lc]?dots(?![A-Za-z])", "..."),
    (r"\\(?:times|cdot)(?![A-Za-z])", "*"),
    (r"\\div(?![A-Za-z])", "/"),
    (r"\\pi(?![A-Za-z])", "pi"),
    (rf"\\q?quad(?![A-Za-z])|\\allowbreak(?![A-Za-z])|\\hspace\*?{_GROUP}", ""),
    (rf"\\(?:text|textnormal|textrm|textit|textbf|emph|mbox|mathrm|bf|small)\s*{_GROUP}", r"\1"),
    (r"\{\\(?:bf|rm|small)\s+([^{}]*)\}", r"\1"),
    (_SIGN := r"[ \t]*([*+/]|-(?!>))[ \t]*", r"\1"),
    (r"[ \t]*(?:(?<!\\)\\[\[\]]|\$\$)[ \t]*", " "),
    (r"(?<!\\)\\[()]|\$", ""),
]
_RULES = [(re.compile(pattern), replacement) for pattern, replacement in _OUR_RULES + _PAPER_RULES]
_LATEX = re.compile(r"[\\{$]")  # every rule needs one of these, but for the one for signs
_RULES_FOR_PLAIN_TEXT = [(re.compile(_SIGN), r"\1")]


def plain_text(latex: str) -> str:
    r"""Return a text with its LaTeX turned into plain text where the paper's list says how.

    `\frac{a}{b}` becomes `a/b`, with a blank before it in a mixed number such as `8\frac47`, and parentheses around a
    sum, product or quotient in it (the paper's rule, which has neither, would give 84/7 and a+b/c).
    """
    text = latex
    for pattern, replacement in _RULES if _LATEX.search(latex) else _RULES_FOR_PLAIN_TEXT:
        text = _until_stable(pattern, replacement, text)
    return plain_fractions(text).replace(_DOLLAR, "$")


def plain_fractions(latex: str) -> str:
    r"""Return a text with its LaTeX fractions as plain text, `\frac{a}{b}` as `a/b`, and all else as it is."""
    return _FRACTION.sub(_written_fraction, latex)


def _until_stable(pattern: re.Pattern[str], replacement: str, text: str) -> str:
    """Replace until nothing changes, for commands inside one another; no rule makes what it replaces."""
    replaced = pattern.sub(replacement, text)
    while replaced != text:
        text, replaced = replaced, pattern.sub(replacement, replaced)
    return replaced


def _written_fraction(match: re.Match[str]) -> str:
    whole, braced_top, top, braced_bottom, bottom = match.groups()
    space = f"{whole} " if whole else ""
    return f"{space}{_operand(braced_top or top or '')}/{_operand(braced_bottom or bottom or '')}"


def _operand(part: str) -> str:
    part = _FRACTION.sub(_written_fraction, part).strip()
    return f"({part})" if _COMPOUND.search(part) else part
