"""What a marker announces: a value, words, or nothing that is an answer (a heading, a sentence, a list of options)."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from procsup_jax.text import characters, rationals
from procsup_jax.text.answers import markers
from procsup_jax.text.answers.equality import answer_key
from procsup_jax.text.answers.markers import Mark
from procsup_jax.text.answers.values import BLANKS, MAX_CHARACTERS, SPECIAL_TOKEN, normalise_answer

# How sure it is that an answer is one: a value, a box, words that end the text; other words; what stands behind A:.
SURE, WORDS, SHORT = 2, 1, 0
RUN_ON = re.compile(
    rf"{SPECIAL_TOKEN.pattern}|(?:Question|(?<![A-Za-z])Q)[ ]?[0-9]{{0,4}}[*_]{{0,2}}:"
    r"|^[#*_> \t]{0,8}(?:Question|Problem|Exercise|Human|User|Instruction|Input|Example)"
    r"[*_]{0,2}[ ]?[0-9]{0,4}[*_]{0,2}[ ]?[:.\n]",
    re.MULTILINE,
)
_MAX_LINE = 2 * MAX_CHARACTERS
_MAX_VALUE, _MAX_WORDS, _MAX_SHORT_WORDS = 120, 8, 4
_NOTHING = BLANKS + "*_`$#:=\"'>"
_FENCE = re.compile(r"(?:```\w*|~~~\w*|\\\[|\\\]|\$\$|\\begin\{\w+\*?\}|\\end\{\w+\*?\})")
_BULLET = re.compile(r"\s*(?:[-*\u2022]|[0-9]+\))\s+")
_OPENING_WORDS = re.compile(r"\s*(?:therefore|thus|then|simply|just|indeed|equal to|now|also)\b[,:]?\s*", re.IGNORECASE)
_DELIMITED = re.compile(
    r"\s*(?:\*\*([^*\n]+)\*\*|`([^`\n]+)`|\$\$([^$\n]+)\$\$|(?<!\\)\$([^$\n]+)(?<!\\)\$|\\\(((?:(?!\\\)).)+)\\\)|\\\[((?:(?!\\\]).)+)\\\])"
)
_GOES_ON = re.compile(r"\s*(?:,|and\b|or\b|[-+*/=^]|\\cup)\s*[$\d\\*(\[-]")
_SENTENCE_END = re.compile(r"[.!?](?=[\"'*_)\]`$]*(?:\s|\Z))|;\s")
_ABBREVIATION = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|St|vs|No|approx)|\b[A-Za-z]\.?[A-Za-z]?)\Z")
_CLAUSE = re.compile(
    r",?\s+(?:because|since|as|which|so|but|when|if|after|for|where)\b|,\s+(?:and|the|that|we|it|he|she|they)\b"
    r"|(?<=[0-9%$*])\s+(?=\((?:[A-Z]|[a-z ]{3,})\))|\s+[-\u2013\u2014]+\s+(?=[A-Za-z]{3})"
    r"|\s+(?=(?:This|That|So|The|Let|I|We|It|Therefore|Thus|Hence|Check|Note|Explanation|Options?|Because|Since|As)\b)"
)
_WORD = re.compile(r"(?<![\\A-Za-z])(?!and\b|or\b)[A-Za-z]{2,}")
_DIGIT = re.compile("[0-9]")
_VALUE = re.compile(r"[-+(\[{<>=.]*(?:[0-9]|\\[A-Za-z{]|[A-Za-z](?![A-Za-z' ]))")
_HEADING = re.compile(
    r"(?:step|part|case|check|checking|verif\w*|notes?|explanation|explained|summary|conclusion|solution|reasoning|"
    r"calculations?|problem|given|approach|method|proof|analysis|background|references?|details?|comments?|"
    r"final answer|answer|options?|question|key|how|why|what|sanity|double|alternative\w*|thought\w*|review|recap|"
    r"discussion|observations?|result|results|remarks?|hint|setup|understanding|justification)\b",
    re.IGNORECASE,
)
_SAYS_NOTHING = re.compile(
    r"(?:not|correct|incorrect|right|wrong|clear|given|found|obtained|shown|reasonable|consistent|verified|valid|"
    r"confirmed|below|above|as|in|to|that|what|the same|your answer|answer|the answer|number|a number|\.*|"
    r"\\[lc]?dots|_*|\?*|\w|the final answer|final answer|and|or|on)(?![A-Za-z]).*",
    re.IGNORECASE | re.DOTALL,
)
_PLACEHOLDER = re.compile(
    r"(?:(?:\\text\{)?(?:(?:your|the|final)[ _]?)*answer(?:[ _]here)?\}?|\.*|\\[lc]?dots|\?*|\s*)", re.IGNORECASE
)
_NEXT_OPTION = re.compile(r"[^\n]*\n\s*[*_]{0,2}B[:.)]")


class Content(NamedTuple):
    """Hold an answer in its normal form, and how sure it is one: SURE, WORDS or SHORT."""

    answer: str
    certainty: int


def read_content(text: str, mark: Mark, end: int) -> Content | None:
    """Return the answer that a marker announces before `end`; None where what follows it is none."""
    if mark.end is not None:
        return _enclosed(text[mark.content : mark.end])
    line, below = announced(text, mark, end)
    if mark.name == markers.SHORT and _NEXT_OPTION.match(text, mark.content, min(end, mark.content + _MAX_LINE)):
        return None
    line = _OPENING_WORDS.sub("", _before_run_on(line), count=1)
    value = _value(line)
    if value is not None:
        return Content(value, SHORT if mark.name == markers.SHORT else SURE)
    return None if below else _words(line, text, mark, end)


def announced(text: str, mark: Mark, end: int) -> tuple[str, bool]:
    """Return the line that a marker announces, and whether that is a line below, as nothing stands beside it."""
    start = mark.content
    for place in range(5):
        stop = text.find("\n", start, min(end, start + _MAX_LINE))
        stop = min(end, start + _MAX_LINE) if stop < 0 else stop
        line = text[start:stop]
        if line.strip(_NOTHING) and not _FENCE.fullmatch(line.strip()):
            return (_BULLET.sub("", line, count=1) if place else line), place > 0
        if stop >= end:
            break
        start = stop + 1
    return "", True


def _enclosed(inside: str) -> Content | None:
    if len(inside) > MAX_CHARACTERS or _PLACEHOLDER.fullmatch(inside):
        return None
    answer = normalise_answer(inside)
    return Content(answer, SURE) if answer else None


def _before_run_on(line: str) -> str:
    for match in RUN_ON.finditer(line):
        if line[: match.start()].strip(_NOTHING):
            return line[: match.start()]
    return line


def _value(line: str) -> str | None:
    """Return the value that a line starts with or is; None where that is words."""
    if len(line) <= MAX_CHARACTERS and isinstance(answer_key(line), Fraction):
        return normalise_answer(line)
    opening = _DELIMITED.match(line)
    if opening is not None and not _GOES_ON.match(line, opening.end()):
        inside = normalise_answer(opening[opening.lastindex or 0])
        if _is_value(inside):
            return inside
    sentence = _first_sentence(line)
    whole, clause = normalise_answer(sentence), normalise_answer(_CLAUSE.split(sentence, maxsplit=1)[0])
    for answer in (whole, clause):
        if isinstance(answer_key(answer), Fraction):
            return answer
    if _is_value(whole) and not _WORD.search(whole):
        return whole
    return clause if _is_value(clause) else None


def _is_value(answer: str) -> bool:
    return len(answer) <= _MAX_VALUE and _VALUE.match(answer) is not None


def _words(line: str, text: str, mark: Mark, end: int) -> Content | None:
    words = normalise_answer(_first_sentence(line))
    if mark.name == markers.SHORT:
        if not words or len(words.split()) > _MAX_SHORT_WORDS:
            return None
        stated = _stated(words) if _DIGIT.search(words) else None
        return Content(words if stated is None else stated.answer, SHORT)
    if not words or len(words) > MAX_CHARACTERS:
        return None
    if mark.name == markers.HASHES:
        if _HEADING.match(words):
            return None
    elif len(words.split()) > _MAX_WORDS or _SAYS_NOTHING.fullmatch(words) or _DIGIT.search(words):
        return _stated(line)
    rest = text.find("\n", mark.content, end)
    ends_text = rest < 0 or not text[rest : min(end, rest + _MAX_LINE)].strip(_NOTHING)
    return Content(words, SURE if ends_text else WORDS)


def _stated(sentence: str) -> Content | None:
    """Return the value that a sentence sets in bold or as mathematics, the last one, or else its only number."""
    found = [normalise_answer(match[match.lastindex or 0]) for match in _DELIMITED.finditer(sentence)]
    values = [each for each in found if _is_value(each)]
    if not values:
        values = list(dict.fromkeys(rationals.numbers(characters.plain(sentence.rpartition("=")[2]))))
        values = values if len(values) == 1 else []
    return Content(values[-1], WORDS) if values else None


def _first_sentence(line: str) -> str:
    for match in _SENTENCE_END.finditer(line):
        before = line[: match.start()]
        if match.end() < len(line.rstrip()) and _ABBREVIATION.search(before[-8:]):
            continue
        return before if before.strip(_NOTHING) else line
    return line
