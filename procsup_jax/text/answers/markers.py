r"""Where final answers are announced in a text: the places of its markers, and of what each announces."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from procsup_jax.text.answers.boxes import boxes

HASHES, BOXED, SHORT, TAG = "####", "boxed", "A:", "<answer>"
FINAL_ANSWER, ANSWER_IS, ANSWER = "final answer", "the answer is", "answer"

_MARKUP = r"[*_`\"' \t]{0,4}"
_ABOUT = r"(?:[ \t]{0,2}\([^()\n]{1,40}\)|[ \t](?:to|for)[ \t][^.:\n]{1,60}?)?"
_VERB = r"(?:[ \t](?i:is|equals|would[ ]be)\b(?:[ \t]{0,2}:)?)"
_MARK = re.compile(
    rf"^[#*_ \t]{{0,12}}(?P<heading>(?i:(?P<final_heading>final[ \t]{{1,3}})?answer))[*_ \t\r]{{0,6}}$"
    rf"|(?P<hash>\#{{4,}}:?)|(?P<tag><answer>)|(?P<question>Q:)|(?P<short>(?<!\w)A:)"
    rf"|(?<![\w/])(?P<answer>(?i:(?P<final>final[ \t]{{1,3}})?answer))(?P<told>{_MARKUP}[:=]|{_ABOUT}{_MARKUP}{_VERB})",
    re.MULTILINE,
)
_OPENS_LINE = " \t*_#>-"


class Mark(NamedTuple):
    """Say which marker stands where: `start` its own first character, `content` the first of what it announces.

    `end` is None where the marker does not say where that ends. `asked` says that a `Q:` stands before an `A:`.
    """

    name: str
    start: int
    content: int
    end: int | None = None
    asked: bool = False


def find_marks(text: str, marker: str) -> list[Mark]:
    """Return the markers of a text, `marker` among them, in the order of where what they announce ends or starts.

    `A:` counts at the start of a line, or after a `Q:` on the same line, so that "Plan A: 5 boxes" is a step like any
    other.
    """
    found = [*_written(text), *_boxed(text)] if _may_hold_one(text) else []
    if marker.strip() and not marker.startswith(("####", "\\boxed", "\\fbox")):
        starts = (match.start() for match in re.finditer(re.escape(marker), text))
        found += [Mark(marker.strip(), start, start + len(marker)) for start in starts]
    return sorted(found, key=lambda mark: mark.end or mark.content)


def _may_hold_one(text: str) -> bool:
    return "####" in text or "A:" in text or "box" in text or "answer" in text.lower()


def _boxed(text: str) -> Iterator[Mark]:
    for box in boxes(text):
        yield Mark(BOXED, box.start, box.inside_start, box.inside_end)


def _written(text: str) -> Iterator[Mark]:
    line_end = question_line_end = -1  # where the line ends on which the last A:, the last Q: stands
    asked = False
    for match in _MARK.finditer(text):
        start, end = match.span()
        if match["question"]:
            asked = True
            if start > question_line_end:
                question_line_end = _line_end(text, start)
        elif match["short"]:
            opens = start > line_end and _opens_line(text, start)
            if start > line_end:
                line_end = _line_end(text, start)
            if opens or start < question_line_end:
                yield Mark(SHORT, start, end, asked=asked)
        elif match["hash"]:
            yield Mark(HASHES, start, end)
        elif match["tag"]:
            closing = text.find("</answer>", end, end + 2000)
            yield Mark(TAG, start, end, closing if closing >= 0 else None)
        else:
            yield Mark(_named(match), start, end)


def _named(match: re.Match[str]) -> str:
    if match["final"] or match["final_heading"]:
        return FINAL_ANSWER
    return ANSWER_IS if match["told"] and match["told"].rstrip(" :")[-1:].isalpha() else ANSWER


def _opens_line(text: str, start: int) -> bool:
    opening = text[max(0, start - 12) : start]
    _, newline, after = opening.rpartition("\n")
    return not after.strip(_OPENS_LINE) and (bool(newline) or start <= 12)


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end
