"""Draw story graphs at random."""

from __future__ import annotations

import bisect
import functools
import itertools
import random
from collections.abc import Sequence
from typing import TypeVar

from procsup_jax.data.worlds.graph import Fact, Question, World, question_value, relation_value
from procsup_jax.data.worlds.settings import NAMES, Weights, WorldSettings
from procsup_jax.errors import UserError

THINGS = ("apples", "books", "cards", "coins", "eggs", "keys", "nuts", "pens", "shells", "stamps")


T = TypeVar("T")
# More than ten times what the narrowest settings that make sense take.
MAX_ATTEMPTS = 100_000
_NUM_TRIES = 4  # a fact that breaks a bound is drawn again before the whole story is


def pick(rng: random.Random, weights: Weights) -> str:
    """Draw a name in proportion to its weight."""
    names, bounds = _bounds(weights)
    return names[bisect.bisect(bounds, rng.random())]


@functools.cache
def _bounds(weights: Weights) -> tuple[tuple[str, ...], list[float]]:
    total = sum(weight for _, weight in weights)
    bounds = list(itertools.accumulate(weight / total for _, weight in weights))
    return tuple(name for name, _ in weights), bounds[:-1]


def choose(rng: random.Random, options: Sequence[T]) -> T:
    """Draw one of `options` (a third of the time that `Random.choice` takes)."""
    return options[int(rng.random() * len(options))]


def between(rng: random.Random, low: int, high: int) -> int:
    """Draw an integer from low to high, both included."""
    return low + int(rng.random() * (high - low + 1))


def draw_world(rng: random.Random, settings: WorldSettings) -> World:
    """Draw one story graph that keeps every bound of `settings`; raise UserError where none seems to."""
    for _ in range(MAX_ATTEMPTS):
        world = _attempt(rng, settings)
        if world is not None:
            return world
    raise too_narrow(settings)


def too_narrow(settings: WorldSettings) -> UserError:
    """Return the error for settings that no story was found for."""
    return UserError(
        f"in {MAX_ATTEMPTS} tries no story kept the bounds max_value={settings.max_value}, "
        f"given_range={settings.given_range}, addend_range={settings.addend_range} and factors={settings.factors} of "
        "the worlds' settings; widen them"
    )


def _attempt(rng: random.Random, settings: WorldSettings) -> World | None:
    form = pick(rng, settings.forms)
    num_asked = 2 if form in ("difference", "most") else 2 + (rng.random() < 0.3) if form == "total" else 1
    num_derived = int(pick(rng, settings.num_steps)) - (form != "one")
    shared = form == "difference" and num_derived > 2 and rng.random() < settings.shared_rate
    num_trunk = max(1, num_derived - between(rng, 2, 3)) if shared else num_derived
    num_sums = min(int(pick(rng, settings.num_sums)), num_trunk - 1)
    names = list(NAMES)
    rng.shuffle(names)
    values: dict[str, int] = {}
    facts = _draw_givens(rng, settings, names, values, (1 if shared else num_asked) + num_sums)
    unused = [fact.name for fact in facts]
    sums = set(rng.sample(range(num_trunk), num_sums))
    for i in range(num_derived):
        if i == num_trunk:  # both people's numbers go back to the last one so far
            unused = unused * 2
        operands = unused if i < num_trunk or i > num_trunk + 1 else unused[:1]
        name = names.pop()
        for _ in range(_NUM_TRIES):
            fact = _draw_derived(rng, settings, name, i in sums, operands, values)
            if fact is not None:
                break
        else:
            return None
        facts.append(fact)
        for name in fact.others:
            unused.remove(name)
        unused.append(fact.name)
    question = _draw_question(rng, settings, form, unused, facts, values)
    if question is None:
        return None
    facts += _draw_unneeded(rng, settings, names, values)
    return World(choose(rng, THINGS), tuple(facts), question)


def _draw_givens(
    rng: random.Random, settings: WorldSettings, names: list[str], values: dict[str, int], num: int
) -> list[Fact]:
    facts: list[Fact] = []
    for i in range(num):
        name, number = names.pop(), between(rng, *settings.given_range)
        if i == 1 and rng.random() < settings.equal_given_rate:
            number = facts[0].number or number
        facts.append(Fact("given", name, number, ()))
        values[name] = number
    return facts


def _draw_derived(
    rng: random.Random, settings: WorldSettings, name: str, is_sum: bool, operands: list[str], values: dict[str, int]
) -> Fact | None:
    if is_sum:
        first = choose(rng, operands)
        others: tuple[str, ...] = (first, choose(rng, [name for name in operands if name != first]))
        fact = Fact("sum", name, None, others)
    else:
        relation, others, number = pick(rng, settings.relations), (choose(rng, operands),), None
        if relation in ("more", "fewer", "needs", "spare"):
            number = between(rng, *settings.addend_range)
        elif relation == "times":
            number = choose(rng, settings.factors)
        fact = Fact(relation, name, number, others)
    value = relation_value(fact.relation, fact.number, tuple(values[other] for other in others))
    if not isinstance(value, int) or not 1 <= value <= settings.max_value:
        return None
    values[name] = value
    return fact


def _draw_question(
    rng: random.Random, settings: WorldSettings, form: str, asked: list[str], facts: list[Fact], values: dict[str, int]
) -> Question | None:
    derived = {fact.name for fact in facts if fact.relation != "given"}
    if sum(name not in derived for name in asked) > (len(asked) > 1) or len(set(asked)) < len(asked):
        return None
    rng.shuffle(asked)
    number = None
    if form == "difference" and values[asked[0]] < values[asked[1]]:
        asked.reverse()
    elif form == "most" and values[asked[0]] == values[asked[1]]:
        return None
    elif form == "bags":
        number = 10
    elif form == "left":
        number = between(rng, *settings.addend_range)
    question = Question(form, tuple(asked), number)
    answer = question_value(question, tuple(values[name] for name in asked))
    return question if 1 <= answer <= settings.max_value else None


def _draw_unneeded(rng: random.Random, settings: WorldSettings, names: list[str], values: dict[str, int]) -> list[Fact]:
    facts: list[Fact] = []
    if rng.random() < settings.bystander_rate:
        facts.append(Fact("given", names.pop(), between(rng, *settings.given_range), ()))
        values[facts[0].name] = facts[0].number or 0
    for _ in range(int(pick(rng, settings.num_unneeded))):
        is_sum = rng.random() < 0.2
        fact = _draw_derived(rng, settings, names[-1], is_sum, list(values), values) if names else None
        if fact is not None:
            names.pop()
            facts.append(fact)
    return facts
