"""Write solutions: right ones, and ones with the slips of a hasty writer who believes what he wrote."""

from __future__ import annotations

import dataclasses
import random
from fractions import Fraction

from procsup_jax.data.worlds import language
from procsup_jax.data.worlds.draw import choose, pick
from procsup_jax.data.worlds.graph import Fact, World, plain, question_value, relation_value
from procsup_jax.data.worlds.settings import SlopSettings
from procsup_jax.text import calculator

_SYMBOLS = {"more": "+", "fewer": "-", "times": "*", "half": "/", "sum": "+"}
_ASKED_SYMBOLS = {"difference": "-", "total": "+", "bags": "/", "left": "-"}
_CONFUSED = {"more": "fewer", "fewer": "more", "times": "more", "half": "times", "sum": "more"}


@dataclasses.dataclass(frozen=True)
class Style:
    """Say how a solution looks: calculator annotations or plain sums, the bullet, and how the last line opens."""

    annotated: bool = True
    bullet: str = ""
    closing: str = "#### {}"


GSM8K = Style()
CLOSINGS = ("#### {}", "A: {}", "Final answer: {}", "So the answer is {}.")


@dataclasses.dataclass(frozen=True)
class Trace:
    """Hold a written solution, the answer its last line gives, and the kinds of the slips made on the way."""

    steps: tuple[str, ...]
    answer: str
    slips: tuple[str, ...]


def write_trace(world: World, rng: random.Random, slop: SlopSettings, style: Style = GSM8K) -> Trace:
    """Write one solution of `world`, slipping at the rate of `slop`."""
    writer = _Writer(world, rng, slop, style)
    for fact in _step_order(world, rng, slop.unneeded_rate):
        writer.write_fact(fact)
    return writer.finish()


def _step_order(world: World, rng: random.Random, unneeded_rate: float) -> list[Fact]:
    known = {fact.name for fact in world.facts if fact.relation == "given"}
    left = [
        fact
        for fact in world.facts
        if fact.relation != "given" and (fact.name in world.needed or rng.random() < unneeded_rate)
    ]
    order = []
    while left:
        ready = [fact for fact in left if all(name in known for name in fact.others)]
        if not ready:  # an unneeded fact hangs on another one that this writer leaves out
            break
        fact = ready[0] if len(ready) == 1 or rng.random() < 0.6 else choose(rng, ready)
        order.append(fact)
        left.remove(fact)
        known.add(fact.name)
    return order


class _Writer:
    """Keep what a writer believes while the steps are written."""

    def __init__(self, world: World, rng: random.Random, slop: SlopSettings, style: Style) -> None:
        self.world, self.rng, self.slop, self.style = world, rng, slop, style
        self.believed: dict[str, int] = {
            fact.name: fact.number or 0 for fact in world.facts if fact.relation == "given"
        }
        self.steps: list[str] = []
        self.slips: list[str] = []

    def write_fact(self, fact: Fact) -> None:
        """Write the step that computes a derived quantity, or, by a slip, something like it."""
        slip = self._draw_slip()
        if not slip and fact.relation in ("needs", "spare") and self.rng.random() < self.slop.trap_rate:
            slip = "trap"
        quoted = plain(fact)
        if slip == "misquote":
            quoted = self._misquoted(quoted)
        elif slip == "trap":
            quoted = quoted._replace(relation=_CONFUSED[quoted.relation])
        operands = [self.believed[name] for name in quoted.others]
        number = quoted.number
        if slip == "number" and number is not None:
            number = self._story_number(number)
        elif slip in ("number", "person"):
            slip = "person"
            operands[int(self.rng.random() * len(operands))] = self._other_value(quoted.others)
        if not _makes_sense(quoted.relation, number, operands):
            number = number or 2
            quoted = quoted._replace(relation=_CONFUSED[quoted.relation], number=quoted.number or 2)
        value = int(relation_value(quoted.relation, number, tuple(operands)))
        concluded = self._made_up(value) if slip in ("copy", "skip") else value
        if slip:
            self.slips.append(slip)
        if slip != "skip":
            terms = [*operands, 2 if quoted.relation == "half" else number] if quoted.relation != "sum" else operands
            expression = _SYMBOLS[quoted.relation].join(map(str, terms))
            self._line(language.fact_words(quoted), expression, str(value), fact.name, concluded)
        pen_slip = slip == "copy" and self.rng.random() < self.slop.pen_slip_rate
        self.believed[fact.name] = value if pen_slip else concluded

    def finish(self) -> Trace:
        """Write the step for the question itself, where it needs one, and the last line."""
        question = self.world.question
        answer = self.believed[question.names[0]] if question.form == "one" else self._write_asked()
        if self._draw_slip():
            self.slips.append("final")
            answer = self._made_up(answer)
        return Trace((*self.steps, self.style.closing.format(answer)), str(answer), tuple(self.slips))

    def _write_asked(self) -> int:
        quoted, slip = self.world.question, self._draw_slip()
        if slip:
            self.slips.append("asked")
        if slip == "misquote":
            others = [name for name in self.believed if name not in quoted.names]
            quoted = quoted._replace(names=(choose(self.rng, others), *quoted.names[1:])) if others else quoted
        operands = [self.believed[name] for name in quoted.names]
        if slip in ("person", "number"):
            operands[int(self.rng.random() * len(operands))] = self._other_value(quoted.names)
        if quoted.form == "difference" and operands[0] < operands[1]:  # nobody takes the larger from the smaller
            operands.reverse()
            quoted = quoted._replace(names=quoted.names[::-1])
        answer = question_value(quoted, tuple(operands))
        answer = self._made_up(answer) if slip in ("copy", "skip") else answer
        if slip == "skip":
            return answer
        words = language.asked_words(quoted, [str(value) for value in operands])
        if quoted.form == "most":
            self.steps.append(f"{self.style.bullet}{words}: it is {answer}")
            return answer
        terms = operands if quoted.number is None else [*operands, quoted.number]
        value = question_value(quoted, tuple(operands))
        quotient = Fraction(operands[0], quoted.number or 1)
        written = str(value) if quoted.form != "bags" else calculator.format_value(quotient) or str(value)
        expression = _ASKED_SYMBOLS[quoted.form].join(map(str, terms))
        self._line(words, expression, written, "it", answer)
        return answer

    def _line(self, words: str, expression: str, value: str, name: str, concluded: int) -> None:
        equation = f"<<{expression}={value}>> " if self.style.annotated else f"{expression}={value}, "
        verb = "is" if name == "it" else "has"
        self.steps.append(f"{self.style.bullet}{words}: {equation}{name} {verb} {concluded}")

    def _draw_slip(self) -> str:
        return pick(self.rng, self.slop.kinds) if self.rng.random() < self.slop.rate else ""

    def _other_value(self, names: tuple[str, ...]) -> int:
        others = [value for name, value in self.believed.items() if name not in names]
        return choose(self.rng, others) if others else self._made_up(self.believed[names[0]])

    def _story_number(self, number: int) -> int:
        numbers = [fact.number for fact in self.world.facts if fact.number is not None and fact.number != number]
        return choose(self.rng, numbers) if numbers else number + 1

    def _made_up(self, value: int) -> int:
        if self.rng.random() < 0.35:
            return choose(self.rng, [*self.believed.values()])
        near = value + choose(self.rng, (-10, -2, -1, 1, 2, 10))
        return near if near >= 1 else value + 1

    def _misquoted(self, fact: Fact) -> Fact:
        """Return a wrong reading of a fact: another one's words, another person, another relation or number."""
        way = self.rng.random()
        known = [name for name in self.believed if name not in fact.others]
        elsewhere = [
            other
            for other in self.world.facts
            if other.others and other.name != fact.name and all(name in self.believed for name in other.others)
        ]
        if way < 0.25 and elsewhere:
            return plain(choose(self.rng, elsewhere))._replace(name=fact.name)
        if way < 0.55 and known:
            others = (choose(self.rng, known), *fact.others[1:])
            return fact._replace(others=others)
        if way < 0.7 and fact.number is not None and fact.relation != "times":
            return fact._replace(number=self._story_number(fact.number))
        confused = _CONFUSED[fact.relation]
        number = self._story_number(0) if fact.relation == "sum" else fact.number or 2
        return Fact(confused, fact.name, number, fact.others[:1])


def _makes_sense(relation: str, number: int | None, operands: list[int]) -> bool:
    """Say whether a relation gives a positive whole number; a writer who gets another one reads the story again."""
    value = relation_value(relation, number, tuple(operands))
    return value == int(value) and value > 0
