"""Read a written step: which quantity it is about, what it quotes, computes and concludes."""

from __future__ import annotations

import dataclasses
import re
from fractions import Fraction

from procsup_jax.data.worlds.graph import Fact, Question

ASKED = "it"
_NUMBER = r"-?\d{1,12}(?:\.\d{1,12})?"
_NAME = r"[A-Z][a-z]{0,20}"
_MULTIPLIER = {"twice": 2, "2 times": 2, "3 times": 3, "4 times": 4, "three times": 3, "four times": 4}
_BULLET = re.compile(r"^\s*(?:[-*]\s+|\d{1,2}[.)]\s+)?")
_ADDEND = re.compile(rf"({_NAME}) (?:got|has) (\d{{1,12}}) (more|fewer|less) than ({_NAME})")
_TRAP = re.compile(rf"({_NAME}) (?:needs (\d{{1,12}}) more|can lose (\d{{1,12}})) to match ({_NAME})")
_FACTOR = re.compile(rf"({_NAME}) (?:got|has) ({'|'.join(_MULTIPLIER)}) as many as ({_NAME})")
_HALF = re.compile(rf"({_NAME}) (?:got|has) half as many as ({_NAME})")
_SUM = re.compile(rf"({_NAME}) (?:got|has) as many as ({_NAME}) and ({_NAME}) together")
_DIFFERENCE = re.compile(rf"({_NAME}) minus ({_NAME})")
_LEFT = re.compile(rf"({_NAME}) minus (\d{{1,12}})")
_TOTAL = re.compile(rf"({_NAME}(?: and {_NAME})+) together")
_BAGS = re.compile(rf"bags of (\d{{1,12}}) for ({_NAME})")
_MOST = re.compile(rf"({_NAME}) has ({_NUMBER}) and ({_NAME}) has ({_NUMBER})")
_ANNOTATED = re.compile(rf"(?:[-+*/(). \d]+= ?)?<<([^=<>]{{1,80}})=({_NUMBER})>> ?(.*)")
_PLAIN = re.compile(rf"([-+*/(). \d]{{1,80}}) ?= ?({_NUMBER})(?:[,.;] ?(.*))?")
_SUBJECT = re.compile(rf"(?:So )?({_NAME}|{ASKED}) (?:has|is) (?=[-(<. \d]+.*=)")
_CONCLUSION = re.compile(rf"(?:({_NAME}|{ASKED}) (?:has|is) )?({_NUMBER})(?: [a-z]{{1,20}})?")


@dataclasses.dataclass(frozen=True)
class ParsedStep:
    """Hold the parts of a step, None where it has no such part.

    `fact` or `question` is what the opening words quote, `quoted` the numbers quoted beside it (most only);
    `expression` and `result` are the computation; `subject` ("it" for what the question asks) and `value` the
    conclusion.
    """

    fact: Fact | None = None
    question: Question | None = None
    quoted: tuple[Fraction, ...] = ()
    expression: str | None = None
    result: Fraction | None = None
    subject: str | None = None
    value: Fraction | None = None


def parse_step(step: str) -> ParsedStep | None:
    """Read a step other than the final answer line; return None when it is ill-formed."""
    text = _BULLET.sub("", step, count=1).strip().removesuffix(".")
    words, colon, rest = text.partition(":")
    if not colon:
        words, rest = "", text
    parsed = ParsedStep()
    if words:
        quoted = _parse_words(words.strip())
        if quoted is None:
            return None
        parsed = quoted
    elif (quoted := _parse_words(text)) is not None:
        return quoted
    return _parse_rest(parsed, rest.strip())


def _parse_rest(parsed: ParsedStep, rest: str) -> ParsedStep | None:
    subject = _SUBJECT.match(rest)
    if subject:
        parsed, rest = dataclasses.replace(parsed, subject=subject[1]), rest[subject.end() :]
    match = _ANNOTATED.fullmatch(rest) or _PLAIN.fullmatch(rest)
    if match:
        parsed = dataclasses.replace(parsed, expression=match[1].strip(), result=Fraction(match[2]))
        rest = (match[3] or "").strip()
        if not rest:
            return parsed
    conclusion = _CONCLUSION.fullmatch(rest)
    if conclusion is None:
        return None
    subjects = {name for name in (parsed.subject, conclusion[1]) if name}
    if len(subjects) > 1:
        return None
    return dataclasses.replace(parsed, subject=next(iter(subjects), None), value=Fraction(conclusion[2]))


def _parse_words(words: str) -> ParsedStep | None:
    if match := _ADDEND.fullmatch(words):
        relation = "more" if match[3] == "more" else "fewer"
        return ParsedStep(fact=Fact(relation, match[1], int(match[2]), (match[4],)))
    if match := _TRAP.fullmatch(words):
        relation = "needs" if match[2] else "spare"
        return ParsedStep(fact=Fact(relation, match[1], int(match[2] or match[3]), (match[4],)))
    if match := _FACTOR.fullmatch(words):
        return ParsedStep(fact=Fact("times", match[1], _MULTIPLIER[match[2]], (match[3],)))
    if match := _HALF.fullmatch(words):
        return ParsedStep(fact=Fact("half", match[1], None, (match[2],)))
    if match := _SUM.fullmatch(words):
        return ParsedStep(fact=Fact("sum", match[1], None, (match[2], match[3])))
    if match := _DIFFERENCE.fullmatch(words):
        return ParsedStep(question=Question("difference", (match[1], match[2])))
    if match := _LEFT.fullmatch(words):
        return ParsedStep(question=Question("left", (match[1],), int(match[2])))
    if match := _TOTAL.fullmatch(words):
        return ParsedStep(question=Question("total", tuple(match[1].split(" and "))))
    if match := _BAGS.fullmatch(words):
        return ParsedStep(question=Question("bags", (match[2],), int(match[1])))
    if match := _MOST.fullmatch(words):
        quoted = (Fraction(match[2]), Fraction(match[4]))
        return ParsedStep(question=Question("most", (match[1], match[3])), quoted=quoted)
    return None
