"""An experiment as data: held, searched and drawn without running any of it."""

import pytest

from procsup_jax.errors import UserError
from procsup_jax.runner.artefacts import Json
from procsup_jax.runner.graph import Graph
from procsup_jax.runner.stage import Stage


def never(ctx, *args):
    raise AssertionError("making a graph runs nothing")


A, B, C, D = (Json(f"{name}.json") for name in "abcd")
FIRST = Stage("first", never, outputs=[A])
SECOND = Stage("second", never, inputs=[A], outputs=[B])
ASIDE = Stage("aside", never, inputs=[A], outputs=[C])
LAST = Stage("last", never, inputs=[B], newer=[C], outputs=[D])


def test_what_depends_on_a_stage_is_found():
    graph = Graph.of([FIRST, SECOND, ASIDE, LAST])
    assert [each.name for each in graph.dependents("first")] == ["second", "aside", "last"]
    assert graph.dependents("aside") == (LAST,) == graph.dependents("second")
    assert graph.dependents("last") == ()
    assert graph.needs["last"] == ("second", "aside")
    assert graph["second"] is SECOND


def test_a_stage_that_comes_up_again_is_the_same_one():
    assert Graph.of([FIRST, SECOND, Stage("first", never, outputs=(A,))]).stages == (FIRST, SECOND)
    with pytest.raises(ValueError, match="two different stages are called first"):
        Graph.of([FIRST, Stage("first", never, (1,), outputs=[A])])


def test_an_order_that_cannot_run_is_refused():
    with pytest.raises(ValueError, match="stage second reads a.json, which no stage before it makes"):
        Graph.of([SECOND, FIRST])
    with pytest.raises(ValueError, match="stages first and again both make a.json"):
        Graph.of([FIRST, Stage("again", never, outputs=[A])])
    assert Graph.of([SECOND]).stages == (SECOND,)  # what no stage makes lies there already


def test_an_unknown_stage_is_one_line():
    with pytest.raises(UserError, match="this experiment has no stage secnd; did you mean second?"):
        Graph.of([FIRST, SECOND]).dependents("secnd")


def test_it_is_drawn():
    drawn = Graph.of([FIRST, SECOND]).dot()
    assert '"first" -> "second";' in drawn and drawn.startswith("digraph experiment {") and drawn.endswith("}\n")
