"""Judge every step of a solution exactly, from the story's graph alone."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import product

from procsup_jax.data.worlds import algebra
from procsup_jax.data.worlds.algebra import Polynomial
from procsup_jax.data.worlds.graph import Fact, Question, World, plain
from procsup_jax.data.worlds.parse import ASKED, ParsedStep, parse_step
from procsup_jax.text import answers, steps

_MARKERS = r"#### |A: ?|Final [Aa]nswer: ?|(?:So )?[Tt]he (?:final )?answer is "
_FINAL = re.compile(rf"(?:[-*] )?(?:{_MARKERS})(\S{{1,40}}?)\.?|\\boxed\{{(\S{{1,40}})\}}")
_MAX_FORMS = 128


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Hold what the oracle says about one step: `reason` is "" for a right step."""

    right: bool
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class Checked:
    """Hold the verdict on each step by itself; a step that rests on a wrong one is itself wrong."""

    verdicts: tuple[Verdict, ...]

    @property
    def first_error(self) -> int:
        """Return the 0-based index of the first wrong step, -1 when there is none."""
        return next((i for i, verdict in enumerate(self.verdicts) if not verdict.right), -1)


def check(world: World, written: Sequence[str]) -> Checked:
    """Judge the steps in `written`; any text is allowed, and what cannot be read is wrong."""
    checker = _Checker(world)
    return Checked(tuple(checker.judge(step) for step in written))


class _Wrong(Exception):
    """Carry the reason why a step is wrong."""


class _Checker:
    """Keep which quantities right steps have established so far."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.truth: dict[str, int] = {**world.values, ASKED: world.answer}
        self.established = {fact.name for fact in world.facts if fact.relation == "given"}

    def judge(self, step: str) -> Verdict:
        """Judge the next step, and remember what it establishes."""
        try:
            final = final_value(step)
            if final is None:
                self._judge_step(step)
            else:
                self._judge_final(final)
        except _Wrong as wrong:
            return Verdict(False, str(wrong))
        return Verdict(True)

    def _judge_final(self, text: str) -> None:
        if not answers.same_answer(text, str(self.world.answer)):
            raise _Wrong("wrong answer")
        question = self.world.question
        if ASKED not in self.established and not (question.form == "one" and question.names[0] in self.established):
            raise _Wrong("answer not established")

    def _judge_step(self, step: str) -> None:
        parsed = parse_step(step)
        if parsed is None:
            raise _Wrong("ill-formed")
        subject = self._subject(parsed)
        self._judge_quote(parsed)
        self._judge_arithmetic(parsed, subject)
        if parsed.expression is None and parsed.value is None:
            return
        if parsed.expression is not None:
            self._judge_expression(parsed.expression, subject)
        elif parsed.fact is not None or parsed.question is not None:
            self._need_operands(subject)
        elif not self._is_established(subject):
            raise _Wrong("value not established")
        self.established.add(subject)

    def _subject(self, parsed: ParsedStep) -> str:
        quoted = parsed.fact.name if parsed.fact else ASKED if parsed.question else None
        subject = quoted or parsed.subject
        if subject is None or subject not in self.truth:
            raise _Wrong("no quantity of the story")
        if parsed.subject not in (None, subject):
            raise _Wrong("concludes about another quantity")
        return subject

    def _judge_quote(self, parsed: ParsedStep) -> None:
        if parsed.fact is not None and not _same_fact(parsed.fact, self.world.fact_of[parsed.fact.name]):
            raise _Wrong("misquoted story")
        if parsed.question is not None:
            if not _same_question(parsed.question, self.world.question):
                raise _Wrong("misquoted question")
            truth = tuple(self.truth[name] for name in parsed.question.names)
            if parsed.quoted and parsed.quoted != truth:
                raise _Wrong("wrong value")

    def _judge_arithmetic(self, parsed: ParsedStep, subject: str) -> None:
        if parsed.expression is not None:
            polynomial = algebra.parse(parsed.expression)
            if polynomial is None:
                raise _Wrong("ill-formed")
            if algebra.value_of(polynomial) != parsed.result:
                raise _Wrong("wrong arithmetic")
        if parsed.value is not None and parsed.value != self.truth[subject]:
            raise _Wrong("wrong value")
        bags = subject == ASKED and self.world.question.form == "bags"
        if parsed.result is not None and not bags and parsed.result != self.truth[subject]:
            raise _Wrong("wrong value")

    def _judge_expression(self, expression: str, subject: str) -> None:
        polynomial = algebra.parse(expression)
        written = algebra.numbers(polynomial) if polynomial is not None else frozenset()
        forms = self._asked_forms(written) if subject == ASKED else self._formulas(subject, written)
        if polynomial not in forms:
            raise _Wrong("not how the story has it, or from values not established")

    def _need_operands(self, subject: str) -> None:
        names = self.world.question.names if subject == ASKED else self.world.fact_of[subject].others
        if not all(self._is_established(name) for name in names):
            raise _Wrong("value not established")

    def _is_established(self, subject: str) -> bool:
        if subject == ASKED and self.world.question.form == "one":
            subject = self.world.question.names[0]
        return subject in self.established

    def _forms(self, name: str, written: frozenset[Fraction]) -> list[Polynomial]:
        """Return every way to write a quantity from established values, as far as the `written` numbers allow."""
        forms = self._formulas(name, written)
        value = Fraction(self.truth[name])
        if name in self.established and value in written:
            forms = [algebra.symbol(value), *forms]
        return forms

    def _formulas(self, name: str, written: frozenset[Fraction]) -> list[Polynomial]:
        fact = plain(self.world.fact_of[name])
        if fact.relation == "given":
            return _limited([algebra.symbol(fact.number or 0)], written)
        return _limited(_relation_forms(fact, [self._forms(other, written) for other in fact.others]), written)

    def _asked_forms(self, written: frozenset[Fraction]) -> list[Polynomial]:
        question = self.world.question
        number = Fraction(question.number or 0)
        operands = [self._forms(name, written) for name in question.names]
        if question.form == "one":
            return operands[0]
        if question.form == "most":
            return [form for forms in operands for form in forms if algebra.value_of(form) == self.world.answer]
        if question.form == "bags":
            return [algebra.multiply(form, algebra.symbol(number, -1)) for form in operands[0]]
        if question.form == "left":
            return [algebra.add(form, algebra.symbol(number), -1) for form in operands[0]]
        sign = -1 if question.form == "difference" else 1
        forms = operands[0]
        for operand in operands[1:]:
            forms = _limited((algebra.add(left, right, sign) for left, right in product(forms, operand)), written)
        return forms


def _relation_forms(fact: Fact, operands: list[list[Polynomial]]) -> Iterator[Polynomial]:
    number = fact.number or 0
    if fact.relation == "sum":
        yield from (algebra.add(left, right) for left, right in product(*operands))
        return
    for form in operands[0]:
        if fact.relation == "more":
            yield algebra.add(form, algebra.symbol(number))
        elif fact.relation == "fewer":
            yield algebra.add(form, algebra.symbol(number), -1)
        elif fact.relation == "times":
            yield algebra.multiply(form, algebra.symbol(number))
            yield algebra.scale(form, number)
        else:
            yield algebra.multiply(form, algebra.symbol(2, -1))
            yield algebra.multiply(form, algebra.symbol(Fraction(1, 2)))
            yield algebra.multiply(form, algebra.multiply(algebra.symbol(1), algebra.symbol(2, -1)))


def _limited(forms: Iterable[Polynomial], written: frozenset[Fraction]) -> list[Polynomial]:
    """Return the first `_MAX_FORMS` forms that use written numbers only: no other can be what was written."""
    kept: list[Polynomial] = []
    iterator = iter(forms)
    while len(kept) < _MAX_FORMS:
        try:
            form = next(iterator)
        except StopIteration:
            break
        except ValueError:  # a product grew too long
            break
        if algebra.numbers(form) <= written:
            kept.append(form)
    return kept


def _same_fact(quoted: Fact, fact: Fact) -> bool:
    quoted, fact = plain(quoted), plain(fact)
    if fact.relation == "sum" == quoted.relation:
        return sorted(quoted.others) == sorted(fact.others)
    return (quoted.relation, quoted.number, quoted.others) == (fact.relation, fact.number, fact.others)


def _same_question(quoted: Question, question: Question) -> bool:
    if quoted.form == question.form and question.form in ("total", "most"):
        return sorted(quoted.names) == sorted(question.names)
    return quoted == question


def final_value(step: str) -> str | None:
    """Return the answer that a final line gives, "" when it is ill-formed; None when the step is no final line."""
    text = step.strip()
    match = _FINAL.fullmatch(text)
    if match:
        return match[1] or match[2]
    return "" if steps.is_final_step(text) else None
