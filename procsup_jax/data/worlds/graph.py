"""A story's meaning: quantities in a dependency graph, and a question about them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from procsup_jax.errors import UserError

RELATIONS = ("given", "more", "fewer", "needs", "spare", "times", "half", "sum")
FORMS = ("one", "difference", "total", "bags", "most", "left")


class Fact(NamedTuple):
    """Say how many one person has: `number` for "given", else a relation to `others`.

    more and spare: others[0] + number; fewer and needs: others[0] - number; times: others[0] * number;
    half: others[0] / 2; sum: others[0] + others[1]. Stories word "needs" and "spare" so that the wrong sign suggests
    itself ("Bob needs 3 more to match Ann"); steps say "fewer" and "more" for them.
    """

    relation: str
    name: str
    number: int | None
    others: tuple[str, ...]


_PLAIN = {"needs": "fewer", "spare": "more"}


def plain(fact: Fact) -> Fact:
    """Return the fact in the plain wording that steps use."""
    return fact._replace(relation=_PLAIN[fact.relation]) if fact.relation in _PLAIN else fact


class Question(NamedTuple):
    """Ask for one number.

    one: what names[0] has; difference: names[0] minus names[1]; total: the sum over names; bags: full bags of `number`;
    most: the larger of what the two have; left: what is left after `number` are given away.
    """

    form: str
    names: tuple[str, ...]
    number: int | None = None


def relation_value(relation: str, number: int | None, operands: tuple[int, ...]) -> int | float:
    """Return what a relation gives on its operands' values; a float only where a half is no integer."""
    if relation in ("more", "spare"):
        return operands[0] + (number or 0)
    if relation in ("fewer", "needs"):
        return operands[0] - (number or 0)
    if relation == "times":
        return operands[0] * (number or 0)
    if relation == "half":
        return operands[0] / 2 if operands[0] % 2 else operands[0] // 2
    if relation == "sum":
        return operands[0] + operands[1]
    raise ValueError(f"relation {relation!r}, expected one of {RELATIONS[1:]}")


def question_value(question: Question, values: tuple[int, ...]) -> int:
    """Return the answer that follows when the people asked about have `values`."""
    form, number = question.form, question.number or 0
    if form == "one":
        return values[0]
    if form == "difference":
        return values[0] - values[1]
    if form == "total":
        return sum(values)
    if form == "bags":
        return int(values[0] // number)
    if form == "most":
        return max(values)
    return values[0] - number


@dataclasses.dataclass(frozen=True)
class World:
    """Hold one story's graph: `facts` in an order in which each fact follows those it depends on."""

    thing: str
    facts: tuple[Fact, ...]
    question: Question

    @functools.cached_property
    def fact_of(self) -> dict[str, Fact]:
        """Map each person to the fact that says how many that person has."""
        return {fact.name: fact for fact in self.facts}

    @functools.cached_property
    def values(self) -> dict[str, int]:
        """Map each person to the true number."""
        values: dict[str, int] = {}
        for fact in self.facts:
            if fact.relation == "given":
                values[fact.name] = fact.number or 0
            else:
                operands = tuple(values[name] for name in fact.others)
                values[fact.name] = int(relation_value(fact.relation, fact.number, operands))
        return values

    @property
    def answer(self) -> int:
        """Return the true answer."""
        return question_value(self.question, tuple(self.values[name] for name in self.question.names))

    @functools.cached_property
    def needed(self) -> frozenset[str]:
        """Return the people whose numbers the answer depends on."""
        needed: set[str] = set(self.question.names)
        for fact in reversed(self.facts):
            if fact.name in needed:
                needed.update(fact.others)
        return frozenset(needed)

    @property
    def key(self) -> str:
        """Return what two stories share when they differ only in names, objects, wording, order and distractors."""
        trees: dict[str, str] = {}
        for relation, name, number, others in self.facts:
            relation = _PLAIN.get(relation, relation)
            trees[name] = f"{relation[:2]}{number or ''}({' '.join(sorted(trees[other] for other in others))})"
        form, names, number = self.question
        asked = [trees[name] for name in names]
        if form in ("total", "most"):
            asked.sort()
        return f"{form}{number or ''} {' '.join(asked)} | {' '.join(sorted(trees.values()))}"

    def to_json(self) -> dict[str, Any]:
        """Return the graph as plain JSON values."""
        return {
            "thing": self.thing,
            "facts": [[fact.relation, fact.name, fact.number, list(fact.others)] for fact in self.facts],
            "question": [self.question.form, list(self.question.names), self.question.number],
        }


def from_json(record: Any) -> World:
    """Read what `World.to_json` wrote; raise UserError when it is anything else."""
    try:
        form, names, number = record["question"]
        world = World(
            str(record["thing"]),
            tuple(Fact(str(r), str(n), k, tuple(map(str, others))) for r, n, k, others in record["facts"]),
            Question(str(form), tuple(map(str, names)), number),
        )
        _check(world)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise UserError(
            f"world {str(record)[:80]!r} is no story graph ({error!r}): expected an object with thing, facts and "
            "question as `procsup data --dataset=worlds` writes it"
        ) from error
    return world


_NUM_OTHERS: Mapping[str, int] = {
    "given": 0, "more": 1, "fewer": 1, "needs": 1, "spare": 1, "times": 1, "half": 1, "sum": 2,
}  # fmt: skip
_NUMBERED = {"given", "more", "fewer", "needs", "spare", "times", "bags", "left"}


def _check(world: World) -> None:
    known: set[str] = set()
    for fact in world.facts:
        if _NUM_OTHERS.get(fact.relation) != len(fact.others):
            raise ValueError(f"{len(fact.others)} operands for relation {fact.relation!r}")
        _check_number(fact.relation, fact.number)
        _check_known(fact.others, known)
        if fact.name in known:
            raise ValueError(f"two facts for {fact.name!r}")
        known.add(fact.name)
    if world.question.form not in FORMS:
        raise ValueError(f"question form {world.question.form!r}")
    num_names = len(world.question.names)
    if num_names not in {"difference": (2,), "most": (2,), "total": (2, 3)}.get(world.question.form, (1,)):
        raise ValueError(f"{num_names} names asked about in form {world.question.form!r}")
    _check_number(world.question.form, world.question.number)
    _check_known(world.question.names, known)


def _check_number(kind: str, number: Any) -> None:
    if (kind in _NUMBERED) != (isinstance(number, int) and not isinstance(number, bool) and number > 0):
        raise ValueError(f"number {number!r} for {kind!r}")


def _check_known(names: Iterable[str], known: set[str]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{name!r} has no fact yet")
