import collections
import dataclasses
import random

from hypothesis import given
from hypothesis import strategies as st

from procsup_jax.data.worlds import draw, graph, settings
from procsup_jax.data.worlds.settings import WorldSettings

DEFAULT, OOD = settings.default(), settings.ood()
SEEDS = st.integers(0, 10**9)


def num_steps(world: graph.World) -> int:
    derived = sum(fact.relation != "given" and fact.name in world.needed for fact in world.facts)
    return derived + (world.question.form != "one")


@given(SEEDS, st.sampled_from([DEFAULT, OOD]))
def test_every_story_keeps_the_bounds(seed: int, bounds: WorldSettings) -> None:
    world = draw.draw_world(random.Random(seed), bounds)
    assert str(num_steps(world)) in dict(bounds.num_steps)
    assert all(1 <= value <= bounds.max_value for value in world.values.values())
    assert 1 <= world.answer <= bounds.max_value
    assert any(world.fact_of[name].relation != "given" for name in world.question.names)
    assert len(set(world.question.names)) == len(world.question.names)
    assert graph.from_json(world.to_json()) == world


def test_a_story_follows_from_the_generator_state() -> None:
    worlds = [draw.draw_world(random.Random(seed), DEFAULT) for seed in (1, 1, 2)]
    assert worlds[0] == worlds[1] != worlds[2]


def test_every_relation_form_and_length_occurs() -> None:
    rng = random.Random(0)
    worlds = [draw.draw_world(rng, DEFAULT) for _ in range(600)]
    assert {fact.relation for world in worlds for fact in world.facts} == set(graph.RELATIONS)
    assert {world.question.form for world in worlds} == set(graph.FORMS) - {"left"}
    assert {num_steps(world) for world in worlds} == {4, 5, 6}
    assert "left" in {draw.draw_world(rng, OOD).question.form for _ in range(30)}
    unneeded = [world for world in worlds if len(world.needed) < len(world.facts)]
    assert 0.4 < len(unneeded) / len(worlds) < 0.95


def test_shared_differences_go_back_to_one_person() -> None:
    shared = dataclasses.replace(DEFAULT, forms=(("difference", 1.0),), shared_rate=1.0)
    rng = random.Random(0)
    for _ in range(50):
        world = draw.draw_world(rng, shared)
        uses = collections.Counter(name for fact in world.facts if fact.name in world.needed for name in fact.others)
        assert max(uses.values()) == 2


def test_pick_follows_the_weights() -> None:
    rng = random.Random(0)
    counts = collections.Counter(draw.pick(rng, (("a", 1.0), ("b", 3.0), ("c", 0.0))) for _ in range(4000))
    assert set(counts) == {"a", "b"}
    assert abs(counts["b"] / 4000 - 0.75) < 0.03
