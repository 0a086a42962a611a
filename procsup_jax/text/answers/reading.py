r"""Read the final answer of a solution: strictly, behind the problem's own marker, or in any form that is in use.

The flexible reading knows `####`, `\boxed{}` and `\fbox{}`, `Final Answer:`, `The answer is`, `Answer:`, `<answer>` and
`A:`. The last answer counts, as a solution may correct itself; but not one of another problem that the text runs on to,
nor one inside a `<think>` block where another follows it.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from procsup_jax.text import rationals
from procsup_jax.text.answers import markers
from procsup_jax.text.answers.boxes import boxed
from procsup_jax.text.answers.contents import RUN_ON, SHORT, SURE, Content, announced, read_content
from procsup_jax.text.answers.markers import Mark, find_marks
from procsup_jax.text.answers.values import BLANKS, normalise_answer

Reading = Literal["flexible", "strict"]
MARKER = "#### "
# So many markers that announce nothing are read at most, counted from the end, so that no text takes long.
_MAX_MARKS = 200
_MAX_NUMBER = 40
_THOUGHTS_END = ("</think>", "</thinking>", "</thought>")
# All that a run-on or a block of thoughts can start with: a text without them is read to its end.
_HINTS = (
    *("Q:", "Q ", "Q*", "uestion", "roblem", "xercise", "xample", "uman", "User", "nstruction", "Input"),
    *("</", "<|", "<\uff5c", "<s>", "<eos>", "<bos>", "<pad>", "<unk>", "_turn>", "INST]"),
)


class Found(NamedTuple):
    """Hold a final answer in its normal form and the marker that it was read by, one of `markers`' names."""

    answer: str
    marker: str


def extract_answer(solution: str, reading: Reading = "flexible", marker: str = MARKER) -> str | None:
    """Return the normalised final answer of a solution, None where there is none (see `read_answer`)."""
    found = read_answer(solution, reading, marker)
    return None if found is None else found.answer


def read_answer(solution: str, reading: Reading = "flexible", marker: str = MARKER) -> Found | None:
    r"""Return the final answer of a solution, and by which marker it was read; None where there is none.

    `strict` takes what follows the last `marker`, up to the end of that line (up to its brace, if it opens one, as
    `\boxed{` does). `flexible` takes every marker that language models write: the last one that announces a value or a
    box, else the last that announces words.
    """
    if reading == "strict":
        return _read_strictly(solution, marker)
    if (number := _closing_number(solution)) is not None:
        return Found(number, markers.HASHES)
    thoughts = max(solution.rfind(end) + len(end) if end in solution else 0 for end in _THOUGHTS_END)
    found = _read(solution[thoughts:], marker)
    return _read(solution, marker) if found is None and thoughts else found


def has_answer_marker(text: str) -> bool:
    """Say whether a text holds a final answer, or a marker with nothing behind it (`#### ` with its blank)."""
    marks = find_marks(text, MARKER)[-_MAX_MARKS:]
    bare = (mark for mark in marks if mark.name != markers.HASHES or text[mark.content : mark.content + 1] == " ")
    if any(not announced(text, mark, len(text))[0] for mark in bare) or "\\boxed{" in text:
        return True
    return read_answer(text) is not None


def gold_answer(text: str) -> str | None:
    r"""Return the answer that a problem's own `answer` gives, the marker's where it is a whole trace.

    None for none: an empty one, a marker with nothing behind it, and several lines without a marker, except those of
    one LaTeX environment, such as a matrix.
    """
    number = rationals.plain_decimal(text)
    if number is not None:
        return number
    found = read_answer(text)
    if found is not None:
        return found.answer
    lines = [line for line in text.splitlines() if line.strip()]
    whole = len(lines) == 1 or "\\begin{" in text
    return (normalise_answer(text) or None) if whole and not has_answer_marker(text) else None


def _read_strictly(solution: str, marker: str) -> Found | None:
    start = solution.rfind(marker)
    if start < 0:
        return None
    if marker == "\\boxed{":
        name, text = markers.BOXED, boxed(solution) or ""
    else:
        name, text = marker.strip(), solution[start + len(marker) :].partition("\n")[0]
    answer = normalise_answer(text)
    return Found(answer, name) if answer else None


def _closing_number(solution: str) -> str | None:
    """Return the number behind a `#### ` that ends the text, where nothing can have come before it: most are such."""
    start = solution.rfind(MARKER)
    if start < 0 or len(solution) - start > _MAX_NUMBER or _may_run_on(solution):
        return None
    return rationals.plain_decimal(solution[start + len(MARKER) :].lstrip(BLANKS + "$").rstrip(BLANKS + "."))


def _may_run_on(text: str) -> bool:
    return any(map(text.__contains__, _HINTS))


def _read(text: str, marker: str) -> Found | None:
    marks = find_marks(text, marker)
    end = _end_of_solution(text, marks)
    best: tuple[Content, str] | None = None
    for mark in [mark for mark in marks if mark.content <= end][: -_MAX_MARKS - 1 : -1]:
        content = read_content(text, mark, end)
        if content is not None and (best is None or content.certainty > best[0].certainty):
            best = content, mark.name
            if content.certainty == SURE:
                break
    return None if best is None else Found(best[0].answer, best[1])


def _end_of_solution(text: str, marks: list[Mark]) -> int:
    """Return where the text runs on after its first answer: to another question, or over the end of its turn."""
    if not marks or not _may_run_on(text) or RUN_ON.search(text) is None:
        return len(text)
    for mark in marks[:_MAX_MARKS]:
        content = read_content(text, mark, len(text))
        if content is None or (content.certainty < SURE and not (content.certainty == SHORT and not mark.asked)):
            continue
        beyond = RUN_ON.search(text, mark.end or mark.content)
        while beyond is not None and not text[mark.content : beyond.start()].strip():
            beyond = RUN_ON.search(text, beyond.end())
        return len(text) if beyond is None else beyond.start()
    return len(text)
