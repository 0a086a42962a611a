"""Write solutions: right ones, and ones with the slips of a hasty writer who believes what he wrote."""

from __future__ import annotations

import dataclasses
import functools
import operator
import random

from procsup_jax.data.worlds import language
from procsup_jax.data.worlds.draw import choose, pick
from procsup_jax.data.worlds.graph import Fact, World, plain
from procsup_jax.data.worlds.settings import SlopSettings

Number = int | float
_SYMBOLS = {"more": "+", "fewer": "-", "times": "*", "half": "/", "sum": "+"}
_CONFUSED_SYMBOLS = {"+": "-", "-": "+", "*": "+", "/": "*"}
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


def number_words(value: Number) -> str:
    """Write a value as plain decimal digits."""
    return str(value) if isinstance(value, int) else f"{value:.6f}".rstrip("0").rstrip(".")


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
        self.believed: dict[str, Number] = {
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
        left, symbol, right = self._operation(quoted)
        if slip == "operation":
            symbol = _CONFUSED_SYMBOLS[symbol]
        elif slip == "number" and quoted.number is not None:
            right = self._story_number(quoted.number)
        elif slip in ("number", "person"):
            slip = "person"
            if len(quoted.others) == 2 and self.rng.random() < 0.5:
                right = self._other_value(quoted.others)
            else:
                left = self._other_value(quoted.others)
        value = _compute(left, symbol, right)
        concluded = self._made_up(value) if slip in ("copy", "skip") else value
        if slip:
            self.slips.append(slip)
        if slip != "skip":
            expression = f"{number_words(left)}{symbol}{number_words(right)}"
            self._line(language.fact_words(quoted), expression, value, fact.name, concluded)
        pen_slip = slip == "copy" and self.rng.random() < self.slop.pen_slip_rate
        self.believed[fact.name] = value if pen_slip else concluded

    def finish(self) -> Trace:
        """Write the step for the question itself, where it needs one, and the last line."""
        question = self.world.question
        operands = [self.believed[name] for name in question.names]
        answer = operands[0] if question.form == "one" else self._write_asked(operands)
        if self._draw_slip():
            self.slips.append("final")
            answer = self._made_up(answer)
        text = number_words(answer)
        return Trace((*self.steps, self.style.closing.format(text)), text, tuple(self.slips))

    def _write_asked(self, operands: list[Number]) -> Number:
        question, number = self.world.question, self.world.question.number or 0
        slip = self._draw_slip()
        if slip:
            self.slips.append("asked")
        if slip in ("person", "number", "misquote"):
            operands[int(self.rng.random() * len(operands))] = self._other_value(question.names)
        if question.form == "most":
            answer = max(operands) if slip in ("", "person", "number", "misquote") else min(operands)
            words = language.asked_words(question, [number_words(value) for value in operands])
            self.steps.append(f"{self.style.bullet}{words}: it is {number_words(answer)}")
            return answer
        symbol = {"difference": "-", "left": "-", "total": "+", "bags": "/"}[question.form]
        if slip == "operation":
            symbol = _CONFUSED_SYMBOLS[symbol]
        terms = operands if len(operands) > 1 else [operands[0], number]
        value = functools.reduce(lambda left, right: _compute(left, symbol, right), terms)
        answer = int(value // 1) if question.form == "bags" else value
        answer = self._made_up(answer) if slip in ("copy", "skip") else answer
        if slip != "skip":
            self._line(language.asked_words(question), symbol.join(map(number_words, terms)), value, "it", answer)
        return answer

    def _line(self, words: str, expression: str, value: Number, name: str, concluded: Number) -> None:
        equation = f"{expression}={number_words(value)}"
        equation = f"<<{equation}>> " if self.style.annotated else f"{equation}, "
        conclusion = f"{name} {'is' if name == 'it' else 'has'} {number_words(concluded)}"
        self.steps.append(f"{self.style.bullet}{words}: {equation}{conclusion}")

    def _draw_slip(self) -> str:
        return pick(self.rng, self.slop.kinds) if self.rng.random() < self.slop.rate else ""

    def _operation(self, fact: Fact) -> tuple[Number, str, Number]:
        left = self.believed[fact.others[0]]
        right = self.believed[fact.others[1]] if fact.relation == "sum" else fact.number or 2
        return left, _SYMBOLS[fact.relation], right

    def _other_value(self, names: tuple[str, ...]) -> Number:
        others = [value for name, value in self.believed.items() if name not in names]
        return choose(self.rng, others) if others else self._made_up(self.believed[names[0]])

    def _story_number(self, number: int) -> int:
        numbers = [fact.number for fact in self.world.facts if fact.number is not None and fact.number != number]
        return choose(self.rng, numbers) if numbers else number + 1

    def _made_up(self, value: Number) -> Number:
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
        if way < 0.3 and elsewhere:
            return plain(choose(self.rng, elsewhere))._replace(name=fact.name)
        if way < 0.65 and known:
            others = (choose(self.rng, known), *fact.others[1:])
            return fact._replace(others=others)
        if way < 0.8 and fact.number is not None and fact.relation != "times":
            return fact._replace(number=self._story_number(fact.number))
        confused = _CONFUSED[fact.relation]
        number = self._story_number(0) if fact.relation == "sum" else fact.number or 2
        return Fact(confused, fact.name, number, fact.others[:1])


def _compute(left: Number, symbol: str, right: Number) -> Number:
    value = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}[symbol](left, right)
    return int(value) if value == int(value) else value
