"""Draw story graphs at random."""

from __future__ import annotations

import random

from procsup_jax.data.worlds.graph import Fact, Question, World, question_value, relation_value
from procsup_jax.data.worlds.settings import Weights, WorldSettings

NAMES = (
    "Ann", "Bob", "Cid", "Dora", "Eli", "Fay", "Gus", "Hana", "Ian", "Joy", "Kim", "Leo", "Mia", "Ned", "Olga", "Pat",
)  # fmt: skip
THINGS = ("apples", "books", "cards", "coins", "eggs", "keys", "nuts", "pens", "shells", "stamps")


def pick(rng: random.Random, weights: Weights) -> str:
    """Draw a name in proportion to its weight."""
    at = rng.random() * sum(weight for _, weight in weights)
    for name, weight in weights:
        at -= weight
        if at < 0:
            return name
    return weights[-1][0]


def draw_world(rng: random.Random, settings: WorldSettings) -> World:
    """Draw one story graph that keeps every bound of `settings`."""
    while True:
        world = _attempt(rng, settings)
        if world is not None:
            return world


def _attempt(rng: random.Random, settings: WorldSettings) -> World | None:
    form = pick(rng, settings.forms)
    num_asked = 2 if form == "difference" else rng.choice((2, 2, 3)) if form == "total" else 1
    num_derived = rng.randint(settings.min_steps, settings.max_steps) - (form != "one")
    num_sums = min(int(pick(rng, settings.num_sums)), num_derived - 1)
    names = rng.sample(NAMES, len(NAMES))
    values: dict[str, int] = {}
    facts = _draw_givens(rng, settings, names, values, num_asked + num_sums)
    unused = [fact.name for fact in facts]
    kinds = ["sum"] * num_sums + ["unary"] * (num_derived - num_sums)
    rng.shuffle(kinds)
    for kind in kinds:
        fact = _draw_derived(rng, settings, names.pop(), kind, unused, values)
        if fact is None:
            return None
        facts.append(fact)
        unused = [name for name in unused if name not in fact.others] + [fact.name]
    question = _draw_question(rng, settings, form, unused, facts, values)
    if question is None:
        return None
    facts += _draw_unneeded(rng, settings, names, values)
    return World(rng.choice(THINGS), tuple(facts), question)


def _draw_givens(
    rng: random.Random, settings: WorldSettings, names: list[str], values: dict[str, int], num: int
) -> list[Fact]:
    facts = []
    for i in range(num):
        name, number = names.pop(), rng.randint(*settings.given_range)
        if i == 1 and rng.random() < settings.equal_given_rate:
            number = facts[0].number or number
        facts.append(Fact("given", name, number, ()))
        values[name] = number
    return facts


def _draw_derived(
    rng: random.Random, settings: WorldSettings, name: str, kind: str, operands: list[str], values: dict[str, int]
) -> Fact | None:
    if kind == "sum":
        others: tuple[str, ...] = tuple(rng.sample(operands, 2))
        fact = Fact("sum", name, None, others)
    else:
        relation, others, number = pick(rng, settings.relations), (rng.choice(operands),), None
        if relation in ("more", "fewer"):
            number = rng.randint(*settings.addend_range)
        elif relation == "times":
            number = rng.choice(settings.factors)
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
    if sum(name not in derived for name in asked) > (len(asked) > 1):
        return None
    rng.shuffle(asked)
    number = None
    value = values[asked[0]]
    if form == "difference" and value < values[asked[1]]:
        asked.reverse()
    if form == "bags":
        number = 10
    elif form == "capacity":
        number = value + rng.randint(-15, 15)
        if number < 3 or number == value:
            return None
    elif form == "left":
        number = rng.randint(*settings.addend_range)
    question = Question(form, tuple(asked), number)
    answer = question_value(question, tuple(values[name] for name in asked))
    return question if 1 <= answer <= settings.max_value else None


def _draw_unneeded(
    rng: random.Random, settings: WorldSettings, names: list[str], values: dict[str, int]
) -> list[Fact]:
    facts = []
    if rng.random() < settings.bystander_rate:
        facts.append(Fact("given", names.pop(), rng.randint(*settings.given_range), ()))
        values[facts[0].name] = facts[0].number or 0
    for _ in range(int(pick(rng, settings.num_unneeded))):
        kind = "sum" if rng.random() < 0.2 else "unary"
        fact = _draw_derived(rng, settings, names[-1], kind, list(values), values) if names else None
        if fact is not None:
            names.pop()
            facts.append(fact)
    return facts
