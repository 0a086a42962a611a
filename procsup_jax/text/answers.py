r"""Final answers: where they stand in a solution, their normal form, and when two are equal.

Four markers are known: `#### ` (GSM8K), `Final answer:`, `A:` and `\boxed{...}` (MATH). `A:` counts only at the start
of a line or after a `Q:` on the same line, so that "Plan A: 5 boxes" is a step like any other.
"""

from __future__ import annotations

import functools
import re
from fractions import Fraction
from typing import Literal

from procsup_jax.text import rationals

Reading = Literal["flexible", "strict"]

_BOXED = "\\boxed{"
_MARKERS = ("#### ", "Final answer:", "Final Answer:", _BOXED)
_SHORT_MARKER = "A:"
_WHOLE_SHORT_MARKER = re.compile(r"(?<!\w)A:")
_BRACE = re.compile(r"[{}]")
_SIGN_AND_DOLLAR = re.compile(r"\A([+-])(?:\$\s*)+")
_LATEX_FRACTION = re.compile(r"\\frac\{?([0-9]+?)\}?\{?([0-9]+)\}?")
_BLANKS = "".join(character for character in map(chr, range(0x3001)) if character.isspace())


def extract_answer(solution: str, reading: Reading = "flexible", marker: str = "#### ") -> str | None:
    """Return the normalised final answer of a solution: what follows its last marker, up to the end of that line.

    A `strict` reading knows `marker` alone. None where there is no marker or nothing stands after the last one.
    """
    if reading == "strict":
        start = solution.rfind(marker)
        found = (marker, start + len(marker)) if start >= 0 else None
    else:
        found = _last_marker(solution)
    if found is None:
        return None
    marker, start = found
    text = boxed(solution) if marker == _BOXED else solution[start:].partition("\n")[0]
    return normalise_answer(text or "") or None


def gold_answer(text: str) -> str | None:
    """Return the answer that a problem's `answer` states, be it a whole trace; None where it states none."""
    return extract_answer(text) if has_answer_marker(text) else normalise_answer(text) or None


def has_answer_marker(text: str) -> bool:
    """Say whether a text holds a final answer marker, be it followed by an answer or not."""
    return _last_marker(text) is not None


def boxed(text: str) -> str | None:
    r"""Return what stands inside the braces of the last `\boxed{...}`; None without one or if its braces are open."""
    start = text.rfind(_BOXED)
    if start < 0:
        return None
    start += len(_BOXED)
    depth = 1
    for brace in _BRACE.finditer(text, start):
        depth += 1 if brace.group() == "{" else -1
        if depth == 0:
            return text[start : brace.start()]
    return None


def normalise_answer(text: str) -> str:
    """Return the normal form of a final answer; normalising twice changes nothing.

    Blanks around it, a leading dollar sign and a trailing full stop go; a number loses its thousands commas, its plus
    sign and decimals of zero. Fractions stay as written, and so does anything with a unit.
    """
    text = text.lstrip(_BLANKS + "$").rstrip(_BLANKS + ".")
    number = rationals.plain_decimal(_SIGN_AND_DOLLAR.sub(r"\1", text))
    return text if number is None else number


@functools.lru_cache(maxsize=1 << 16)
def answer_key(answer: str) -> Fraction | str:
    """Return what equal answers share, to group by: the exact value of a number, else the normalised text."""
    normal = normalise_answer(answer)
    value = rationals.parse_rational(_LATEX_FRACTION.sub(r"\1/\2", normal))
    return normal if value is None else value


def same_answer(a: str | None, b: str | None) -> bool:
    """Say whether two answers are equal: as exact rationals when both are numbers, else as normalised strings.

    This is what makes a final answer right. A missing one (None) equals nothing.
    """
    return a is not None and b is not None and (a == b or answer_key(a) == answer_key(b))


@functools.lru_cache(maxsize=1 << 16)
def is_answer(text: str | None) -> bool:
    """Say whether there is a final answer; an empty one is none."""
    return text is not None and normalise_answer(text) != ""


def _last_marker(text: str) -> tuple[str, int] | None:
    """Return the last marker and where what follows it starts."""
    found = [(start + len(marker), marker) for marker in _MARKERS if (start := text.rfind(marker)) >= 0]
    if (start := _last_short_marker(text)) >= 0:
        found.append((start + len(_SHORT_MARKER), _SHORT_MARKER))
    if not found:
        return None
    end, marker = max(found)
    return marker, end


def _last_short_marker(text: str) -> int:
    """Return where the last `A:` that counts starts, -1 for none."""
    end = len(text)
    while (found := text.rfind(_SHORT_MARKER, 0, end)) >= 0:
        end = text.rfind("\n", 0, found) + 1
        line = text[end : found + len(_SHORT_MARKER)]
        question, opening = line.find("Q:"), len(line) - len(line.lstrip())
        places = [match.start() for match in _WHOLE_SHORT_MARKER.finditer(line)]
        places = [place for place in places if place == opening or 0 <= question < place]
        if places:
            return end + places[-1]
    return -1
