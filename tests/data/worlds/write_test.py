import collections
import dataclasses
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procsup_jax.data.worlds import draw, language, oracle, settings, write
from procsup_jax.data.worlds.graph import Fact, Question, World
from procsup_jax.data.worlds.settings import SlopSettings

WORLD = World(
    "apples",
    (
        Fact("given", "Ann", 9, ()),
        Fact("given", "Cid", 4, ()),
        Fact("needs", "Bob", 3, ("Ann",)),
        Fact("times", "Dora", 2, ("Bob",)),
        Fact("half", "Eli", None, ("Dora",)),
    ),
    Question("one", ("Dora",)),
)


def always(kind: str, **changes: float) -> SlopSettings:
    return SlopSettings(rate=1.0, kinds=((kind, 1.0),), **changes)  # type: ignore[arg-type]


def test_a_careful_writer_writes_the_reference() -> None:
    trace = write.write_trace(WORLD, random.Random(0), SlopSettings(unneeded_rate=0.0))
    assert trace.steps == (
        "Bob got 3 fewer than Ann: <<9-3=6>> Bob has 6",
        "Dora got twice as many as Bob: <<6*2=12>> Dora has 12",
        "#### 12",
    )
    assert (trace.answer, trace.slips) == ("12", ())


def test_style_changes_the_look_only() -> None:
    style = write.Style(annotated=False, bullet="- ", closing="So the answer is {}.")
    trace = write.write_trace(WORLD, random.Random(0), SlopSettings(unneeded_rate=0.0), style)
    assert trace.steps[0] == "- Bob got 3 fewer than Ann: 9-3=6, Bob has 6"
    assert trace.steps[-1] == "So the answer is 12."


def test_unneeded_quantities_are_written_at_their_rate() -> None:
    rng = random.Random(0)
    lengths = [len(write.write_trace(WORLD, rng, SlopSettings(unneeded_rate=0.5)).steps) for _ in range(400)]
    assert set(lengths) == {3, 4}
    assert 0.4 < lengths.count(4) / 400 < 0.6


def test_a_trap_is_read_the_wrong_way_round_and_believed() -> None:
    trace = write.write_trace(WORLD, random.Random(0), SlopSettings(trap_rate=1.0, unneeded_rate=0.0))
    assert trace.steps == (
        "Bob got 3 more than Ann: <<9+3=12>> Bob has 12",
        "Dora got twice as many as Bob: <<12*2=24>> Dora has 24",
        "#### 24",
    )
    assert trace.slips == ("trap",)


@pytest.mark.parametrize("kind", ["person", "number", "misquote", "skip", "copy"])
def test_each_kind_of_slip_shows_and_is_carried_on(kind: str) -> None:
    rng = random.Random(1)
    wrong = 0
    for _ in range(50):
        trace = write.write_trace(WORLD, rng, always(kind, pen_slip_rate=0.0))
        wrong += oracle.check(WORLD, trace.steps).first_error >= 0
        quoted = trace.steps[0].partition(":")[0]
        if kind in ("number", "copy"):  # what is quoted is right, what is computed or concluded is not
            assert quoted in ("Bob got 3 fewer than Ann", "Bob got 3 more than Ann")  # more: 3 fewer made no sense
        if kind == "misquote":
            assert quoted != "Bob got 3 fewer than Ann"
        if kind == "skip":
            assert len(trace.steps) == 1
    assert wrong >= 40


def test_a_pen_slip_is_not_carried_on() -> None:
    rng = random.Random(0)
    for _ in range(20):
        steps = write.write_trace(WORLD, rng, always("copy", pen_slip_rate=1.0, unneeded_rate=0.0)).steps
        assert steps[0].startswith("Bob got 3 fewer than Ann: <<9-3=6>> Bob has ")
        assert steps[1].startswith("Dora got twice as many as Bob: <<6*2=12>>")


def test_slips_come_at_their_rate() -> None:
    rng = random.Random(0)
    traces = [write.write_trace(WORLD, rng, SlopSettings(rate=0.2, unneeded_rate=0.0)) for _ in range(1000)]
    chances = 3 * len(traces)  # two computed steps and the last line
    assert abs(sum(len(trace.slips) for trace in traces) / chances - 0.2) < 0.03


@given(st.integers(0, 10**9))
def test_annotations_hold_even_in_wrong_steps(seed: int) -> None:
    rng = random.Random(seed)
    world = draw.draw_world(rng, settings.default())
    trace = write.write_trace(world, rng, SlopSettings(rate=0.5, trap_rate=0.5))
    reasons = collections.Counter(verdict.reason for verdict in oracle.check(world, trace.steps).verdicts)
    assert reasons["wrong arithmetic"] == 0  # as with a calculator
    assert trace.steps[-1] == f"#### {trace.answer}"


@given(st.integers(0, 10**9))
def test_the_story_states_every_fact_once(seed: int) -> None:
    rng = random.Random(seed)
    world = draw.draw_world(rng, settings.default())
    story = language.story_words(world, rng, dataclasses.replace(settings.default(), num_distractors=(("2", 1.0),)))
    for fact in world.facts:
        said = f"{fact.name} has {fact.number} {world.thing}." if not fact.others else f"{language.fact_words(fact)}."
        assert story.count(said) == 1
    assert story.endswith(language.question_words(world.question, world.thing))
    assert story.count(". ") + 1 >= len(world.facts) + 3
