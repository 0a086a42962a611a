"""Random solutions: GSM8K-like ones and the testbed's, damaged, with other systems' marks, long and hostile."""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from benchmarks.soak import exact
from procsup_jax.data.worlds import splits

PIECES = (
    "#### ", "####", "\n", "\n\n", "\\boxed{", "}", "{", "\\fbox{", "\\boxed", "\\boxed 2", "Final Answer:", "answer",
    "The answer is ", "Answer: ", "A:", "Q:", "Question: ", "Question 2:", "$", "$$", "**", "`", "```", '"', "'",
    "\\frac", "\\frac12", "\\frac{3}{4}", "\\dfrac{", "\\text{", "\\left(", "\\right)", "\\,", "\\!", "{,}", "\\$",
    "\\%", "%", "^\\circ", "^{2}", "\\sqrt{2}", "\\pi", "\\times", "\\cdot", "\\begin{pmatrix}", "\\end{pmatrix}",
    "\\\\", "\\(", "\\)", "\\[", "\\]", "\\{", "\\}", "\\approx", "\u2212", "\u00bd", "\u00b2", "\uff11\uff12",
    "\u202f", "\u200b", "\ufeff", "\u2028", "\x85", "\u0663", "\u00d7", "\u00f7", "\U0001f600", "e\u0301", "\ud800",
    "\0", "\r", "\t", "\x1b", "1", "2", "12", "1,234", "0.50", "1/3", "-7", "1e9", ",", ".", " ", "/", "-", "=",
    "x = 5", "<<", ">>", "<<1+1=2>>", "<<2*3=7>>", "<<48/2=24>>24", "<<1/0=0>>", "<<10/3=3.33>>", "<<50%*8=4>>",
    "<<=>>", "</s>", "<|im_end|>", "<|endoftext|>", "<think>", "</think>", "<answer>", "</answer>", "[INST]", "(",
    ")", "[", "]", " and ", " or ", "Step 1:", "yes", "p.m.", "\\", "~", "<b>", "</b>", "*", "+", "!=", ">=", "_",
    ":", ";", "\\infty", "\u20ac", "USD", "15 gallons * 8", "Check", "Human:", "<script>alert(1)</script>", "{" * 9,
    "(" * 9, "- ", "1) ", "(A) 3 (B) 4", "apples",
)  # fmt: skip
_REPEATED = (
    "(", "{", "\\boxed{", "<<", "9", "1,", "-", "\\frac{", "#### ", "A:", "Q: A: ", " ", "\n", "a", "$", "**",
    "\\left(", "<<1+1=", "answer is ", "Answer:", "1 ", "x = ", "\\text{", "* ", "\u200b", "<think>", "\\", "0.",
    "[1, ", "^{", "=",
)  # fmt: skip
_LINES = (
    "{a} bought {x} pens and then {y} more, so {a} has {x} + {y} = <<{x}+{y}={s}>>{s} pens.",
    "Each costs ${x}, so {y} of them cost {y}*{x} = $<<{y}*{x}={p}>>{p}.",
    "That leaves {x} - {y} = <<{x}-{y}={d}>>{d} for the rest of the week.",
    "Half of {x} is {x}/2 = <<{x}/2={h}>>{h}.",
)
_NAMES = ("Janet", "Tom", "Aisha", "Wei", "Zo\u00eb")


class Known(NamedTuple):
    """Hold a solution whose final answer is known, because it was put there."""

    text: str
    answer: Fraction


def right_ones() -> list[str]:
    """Return right solutions to start from."""
    chance = random.Random(0)
    return [each.solution or "" for each in splits.problems("sft", 150)] + [_word_problem(chance) for _ in range(150)]


def _word_problem(chance: random.Random) -> str:
    lines, result = [], 0
    for _ in range(chance.randint(1, 5)):
        x, y = chance.randint(2, 400) * 2, chance.randint(2, 60)
        result = x + y
        values = {"s": x + y, "p": x * y, "d": x - y, "h": x // 2, "a": chance.choice(_NAMES), "x": x, "y": y}
        lines.append(chance.choice(_LINES).format(**values))
    return "\n".join([*lines, f"#### {result}"])


def solution(chance: random.Random, right: Sequence[str]) -> str:
    """Return any text that might be given as a solution."""
    roll = chance.random()
    if roll < 0.55:
        text = chance.choice(right)
        for _ in range(chance.choice((1, 1, 2, 3, 5))):
            text = _changed(chance, text, right)
        return text
    if roll < 0.97:
        return "".join(chance.choices(PIECES, k=chance.choice((1, 3, 6, 12, 25))))
    times = chance.choice((10, 100, 300) if roll < 0.9999 else (3000, 20_000))
    return chance.choice(PIECES) + chance.choice(_REPEATED) * times + chance.choice(PIECES)


def _changed(chance: random.Random, text: str, right: Sequence[str]) -> str:
    at = chance.randrange(len(text) + 1)
    match chance.randrange(9):
        case 0 | 1 | 2:
            return text[:at] + chance.choice(PIECES) + text[at:]
        case 3:
            return text[:at] + text[at + chance.choice((1, 2, 10, 80)) :]
        case 4:
            return text[:at] + chr(chance.choice((chance.randrange(0x80), chance.randrange(0x3100)))) + text[at + 1 :]
        case 5:
            return text + chance.choice(("\n", "\n\n", " ", "")) + chance.choice(right)
        case 6:
            marker = chance.choice(("Final Answer: ", "The answer is ", "\\boxed{", "####", "A: ", "answer = ", ""))
            return text.replace("#### ", marker)
        case 7:
            return text[:at] + f"<<{exact.expression(chance)}={chance.randrange(1000)}>>" + text[at:]
    return text.replace(chance.choice("0123456789 ="), chance.choice(PIECES), 2)


def known(chance: random.Random, right: Sequence[str]) -> Known:
    """Return a right solution's steps with an answer of another value, in some marker and some writing."""
    value = Fraction(
        chance.choice((chance.randrange(-99, 2000), chance.randrange(10**7))), chance.choice((1, 1, 2, 4, 8, 10))
    )
    steps = chance.choice(right).rpartition("\n")[0]
    marked = chance.choice(
        ("#### {}", "####{}", "#### {}.", "The answer is {}.", "Final Answer: {}", "**Answer:** {}", "\\boxed{{{}}}")
        + ("Final Answer: The final answer is ${}$. I hope it is correct.", "So it is $\\boxed{{{}}}$.", "#### **{}**")
    )
    return Known(f"{steps}\n{marked.format(written(chance, value))}", value)


def written(chance: random.Random, value: Fraction) -> str:
    """Write a value in one of the ways that language models do."""
    sign, size = ("-" if value < 0 else ""), abs(value)
    minus = chance.choice(("-", "-", "\u2212")) if sign else ""
    decimal = _decimal(size)
    roll = chance.randrange(7)
    if roll == 0 and value.denominator > 1:
        return f"{minus}{size.numerator}/{size.denominator}"
    if roll == 1 and value.denominator > 1:
        return f"{minus}\\frac{{{size.numerator}}}{{{size.denominator}}}"
    if roll == 2:
        whole, point, decimals = decimal.partition(".")
        return f"{minus}{int(whole):,}{point}{decimals}"
    if roll == 3:
        return minus + decimal + ("0" if "." in decimal else ".00")
    if roll == 4:
        return f"{minus}\\${decimal}" if chance.random() < 0.5 else f"{minus}{decimal}\\%"
    if roll == 5:
        return minus + decimal.translate({ord(each): 0xFF10 + int(each) for each in "0123456789"})
    return minus + decimal


def _decimal(value: Fraction) -> str:
    text = f"{value.numerator * 1000 // value.denominator:04d}"
    return f"{text[:-3]}.{text[-3:]}".rstrip("0").rstrip(".")
