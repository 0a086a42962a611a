import dataclasses
import json

import pytest

from procsup_jax.data.worlds import graph
from procsup_jax.data.worlds.graph import Fact, Question, World
from procsup_jax.errors import UserError

FACTS = (
    Fact("given", "Ann", 5, ()),
    Fact("given", "Cid", 4, ()),
    Fact("more", "Bob", 3, ("Ann",)),
    Fact("times", "Dora", 2, ("Bob",)),
    Fact("sum", "Eli", None, ("Dora", "Cid")),
    Fact("half", "Fay", None, ("Dora",)),
    Fact("needs", "Gus", 2, ("Fay",)),
    Fact("spare", "Hana", 2, ("Fay",)),
)
VALUES = {"Ann": 5, "Cid": 4, "Bob": 8, "Dora": 16, "Eli": 20, "Fay": 8, "Gus": 6, "Hana": 10}


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (Question("one", ("Eli",)), 20),
        (Question("difference", ("Eli", "Gus")), 14),
        (Question("total", ("Eli", "Gus", "Hana")), 36),
        (Question("bags", ("Dora",), 10), 1),
        (Question("most", ("Gus", "Hana")), 10),
        (Question("left", ("Dora",), 7), 9),
    ],
)
def test_values_and_answers(question: Question, answer: int) -> None:
    world = World("apples", FACTS, question)
    assert world.values == VALUES
    assert world.answer == answer


def test_needed_is_what_the_answer_depends_on() -> None:
    assert World("pens", FACTS, Question("one", ("Eli",))).needed == {"Ann", "Bob", "Cid", "Dora", "Eli"}
    assert World("pens", FACTS, Question("most", ("Bob", "Cid"))).needed == {"Ann", "Bob", "Cid"}


def test_key_ignores_names_things_and_order_only() -> None:
    world = World("apples", FACTS, Question("total", ("Eli", "Gus")))
    names = {name: f"N{i}" for i, name in enumerate(VALUES)}
    renamed = tuple(
        Fact(fact.relation, names[fact.name], fact.number, tuple(names[other] for other in reversed(fact.others)))
        for fact in (FACTS[1], FACTS[0], *FACTS[2:])
    )
    assert World("pens", renamed, Question("total", (names["Gus"], names["Eli"]))).key == world.key

    def changed(at: int, **changes: object) -> str:
        facts = [*FACTS]
        facts[at] = facts[at]._replace(**changes)
        return dataclasses.replace(world, facts=tuple(facts)).key

    assert changed(6, relation="fewer") == world.key
    others = [
        changed(0, number=6),
        changed(2, relation="fewer"),
        changed(6, relation="more"),
        changed(6, others=("Bob",)),
        dataclasses.replace(world, question=Question("total", ("Eli", "Hana"))).key,
        dataclasses.replace(world, question=Question("difference", ("Eli", "Gus"))).key,
        dataclasses.replace(world, question=Question("difference", ("Gus", "Eli"))).key,
        dataclasses.replace(world, facts=FACTS[:-1]).key,
    ]
    assert len({world.key, *others}) == len(others) + 1


def test_json_round_trip() -> None:
    world = World("apples", FACTS, Question("bags", ("Eli",), 10))
    assert graph.from_json(json.loads(json.dumps(world.to_json()))) == world


GOOD = World("apples", FACTS[:3], Question("one", ("Bob",))).to_json()


@pytest.mark.parametrize(
    "record",
    [
        None,
        "Ann",
        {},
        {**GOOD, "facts": 3},
        {**GOOD, "facts": [["given", "Ann", 5]]},
        {**GOOD, "facts": [["given", "Ann", "5", []]]},
        {**GOOD, "facts": [["given", "Ann", True, []]]},
        {**GOOD, "facts": [["given", "Ann", None, []]]},
        {**GOOD, "facts": [["sum", "Ann", None, ["Bob"]]]},
        {**GOOD, "facts": [["more", "Bob", 3, ["Ann"]], ["given", "Ann", 5, []]]},
        {**GOOD, "facts": [*GOOD["facts"], ["given", "Bob", 8, []]]},
        {**GOOD, "facts": [*GOOD["facts"], ["cube", "Eli", 3, ["Bob"]]]},
        {**GOOD, "question": ["one", ["Zoe"], None]},
        {**GOOD, "question": ["difference", ["Bob"], None]},
        {**GOOD, "question": ["bags", ["Bob"], None]},
        {**GOOD, "question": ["mean", ["Bob"], None]},
    ],
)
def test_bad_json_is_a_user_error(record: object) -> None:
    with pytest.raises(
        UserError, match="is no story graph .*expected an object with thing, facts and question"
    ) as error:
        graph.from_json(record)
    assert "\n" not in str(error.value)
