"""The English of the testbed: story sentences, questions, and the words of a step."""

from __future__ import annotations

import random
from collections.abc import Sequence

from procsup_jax.data.worlds.draw import NAMES, between, choose, pick
from procsup_jax.data.worlds.graph import Fact, Question, World
from procsup_jax.data.worlds.settings import WorldSettings

COLOURS = ("red", "blue", "green", "black")
ANIMALS = ("cats", "dogs", "birds", "fish")
_MULTIPLES = {2: "twice", 3: "3 times", 4: "4 times"}


def fact_words(fact: Fact) -> str:
    """Write a derived fact, e.g. "Bob got 3 more than Ann"; the steps write `graph.plain` of the story's."""
    relation, name, number, others = fact
    if relation == "more" or relation == "fewer":
        return f"{name} got {number} {relation} than {others[0]}"
    if relation == "needs":
        return f"{name} needs {number} more to match {others[0]}"
    if relation == "spare":
        return f"{name} can lose {number} to match {others[0]}"
    if relation == "times":
        return f"{name} got {_MULTIPLES.get(number or 0, f'{number} times')} as many as {others[0]}"
    if relation == "half":
        return f"{name} got half as many as {others[0]}"
    return f"{name} got as many as {others[0]} and {others[1]} together"


def asked_words(question: Question, values: Sequence[str] = ()) -> str:
    """Write the words that open the step for the question itself; `values` is what the people have (most only)."""
    form, names, number = question
    if form == "difference":
        return f"{names[0]} minus {names[1]}"
    if form == "total":
        return f"{' and '.join(names)} together"
    if form == "bags":
        return f"bags of {number} for {names[0]}"
    if form == "most":
        return f"{names[0]} has {values[0]} and {names[1]} has {values[1]}"
    return f"{names[0]} minus {number}"


def question_words(question: Question, thing: str) -> str:
    """Write the question."""
    form, names, number = question
    if form == "one":
        return f"How many {thing} does {names[0]} have?"
    if form == "difference":
        return f"How many more {thing} does {names[0]} have than {names[1]}?"
    if form == "total":
        return f"How many {thing} do {' and '.join(names)} have together?"
    if form == "bags":
        return f"{names[0]} fills bags of {number}. How many full bags are there?"
    if form == "most":
        return f"How many {thing} does the richer of {names[0]} and {names[1]} have?"
    return f"{names[0]} gives {number} away. How many {thing} are left?"


def story_words(world: World, rng: random.Random, settings: WorldSettings) -> str:
    """Write the whole question text: facts mostly in a solvable order, distractors strewn in, then the question."""
    order = list(world.facts)
    if rng.random() < settings.swap_rate:
        for _ in range(between(rng, 1, 3)):
            at = int(rng.random() * (len(order) - 1))
            order[at], order[at + 1] = order[at + 1], order[at]
    else:
        order.sort(key=lambda fact: fact.relation != "given")
    sentences = [
        f"{fact.name} has {fact.number} {world.thing}." if fact.relation == "given" else f"{fact_words(fact)}."
        for fact in order
    ]
    for _ in range(int(pick(rng, settings.num_distractors))):
        sentences.insert(int(rng.random() * (len(sentences) + 1)), _distractor(rng))
    return " ".join([*sentences, question_words(world.question, world.thing)])


def _distractor(rng: random.Random) -> str:
    name, kind = choose(rng, NAMES), rng.random()
    if kind < 0.4:
        return f"{name} is {between(rng, 6, 60)} years old."
    if kind < 0.8:
        return f"{name} saw {between(rng, 2, 20)} {choose(rng, ANIMALS)}."
    return f"{name} likes {choose(rng, COLOURS)}."
