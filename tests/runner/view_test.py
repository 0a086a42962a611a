"""What is read of settings is noted, and nothing else; what was noted decides alone."""

import dataclasses
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procsup_jax.errors import UserError
from procsup_jax.free import FREE
from procsup_jax.runner.markers import Marker, changes
from procsup_jax.runner.view import ABSENT, Fact, Known, Notes, Setting, View, whole


@dataclasses.dataclass(frozen=True)
class Inner:
    depth: int = 1
    lanes: Annotated[int, FREE] = 8


@dataclasses.dataclass(frozen=True)
class Group:
    num: int = 3
    kind: str = ""
    inner: Inner = Inner()


@dataclasses.dataclass(frozen=True)
class Settings:
    seed: int = 0
    pair: tuple[int, ...] = (1, 2)
    first: Group = Group()
    second: Group = Group()
    other: int = 7
    name: Annotated[str, FREE] = "a"
    devices: Annotated[Inner, FREE] = Inner()


def view(settings=Settings(), takes=None):  # noqa: B008
    notes = Notes()
    return View(Known(settings, takes or {}), notes), notes


def marker(notes, facts=None):
    return Marker({**notes.values, **(facts or {})}, {}, {}, 1.0, sorted(notes.whole))


def test_only_what_is_read_is_noted_by_its_dotted_path():
    seen, notes = view()
    assert (seen.seed, seen.pair, seen.first.inner.depth) == (0, (1, 2), 1)
    assert notes.values == {"config.seed": 0, "config.pair": [1, 2], "config.first.inner.depth": 1}
    assert not notes.whole


def test_what_no_result_depends_on_is_read_and_not_noted():
    seen, notes = view()
    assert (seen.name, seen.first.inner.lanes, seen.devices.depth, whole(seen.devices)) == ("a", 8, 1, Inner())
    assert notes == Notes()


def test_a_group_taken_whole_is_the_dataclass_and_all_of_it_is_noted():
    seen, notes = view()
    assert whole(seen.first) == Group()
    assert notes.values == {"config.first.num": 3, "config.first.kind": "", "config.first.inner.depth": 1}
    assert notes.whole == {"config.first"}
    assert whole(Group()) == Group()


def test_a_setting_that_takes_anothers_value_is_noted_with_it():
    seen, notes = view(takes={"first.num": Setting("other"), "first.kind": "fixed"})
    assert whole(seen.first) == Group(num=7, kind="fixed")
    assert seen.first.num == 7
    assert notes.values["config.first.num"] == 7 and notes.values["config.first.kind"] == "fixed"
    [change] = changes(marker(notes), Known(Settings(other=8), {"first.num": Setting("other")}), (), ())[1:]
    assert (change.done, change.wanted, change.subject) == (7, 8, "--config.other")


def test_a_setting_that_there_is_not_is_one_line():
    with pytest.raises(UserError, match="reads the setting config.first.size, which the recipe's settings lack"):
        _ = view()[0].first.size


def test_a_changed_setting_matters_only_where_it_was_read():
    seen, notes = view()
    _ = seen.seed, seen.first.num
    done = marker(notes)
    assert changes(done, Known(Settings(other=9, second=Group(num=4))), (), ()) == []
    [change] = changes(done, Known(Settings(first=Group(num=4))), (), ())
    assert (change.key, change.done, change.wanted) == ("config.first.num", 3, 4)


def test_a_setting_of_a_whole_group_that_a_marker_lacks_is_held_to_its_default():
    """As one that a later version has: what ran without it did what its default does."""
    seen, notes = view()
    whole(seen.first)
    del notes.values["config.first.kind"]
    assert changes(marker(notes), Known(Settings()), (), ()) == []
    [change] = changes(marker(notes), Known(Settings(first=Group(kind="new"))), (), ())
    assert (change.done, change.wanted, change.subject) == ("", "new", "--config.first.kind")


def test_markers_from_before_groups_were_noted_are_held_so_where_the_graph_says_it():
    old = Marker({"config.first.num": 3}, {}, {}, 1.0)
    known = Known(Settings(first=Group(kind="new", inner=Inner(depth=5)), second=Group(kind="new")))
    assert [each.key for each in changes(old, known, (), ("config.first",))] == ["config.first.kind"]
    assert changes(old, known, (), ()) == []


def test_a_setting_of_a_marker_that_there_is_no_longer_comes_last():
    old = Marker({"config.a.gone": 1, "config.seed": 1, "odd&x\n": 2}, {}, {}, 1.0)
    found = changes(old, Known(Settings()), (), ())
    assert [(each.key, each.wanted) for each in found] == [
        ("config.seed", 0), ("config.a.gone", ABSENT), ("odd&x\n", ABSENT),
    ]  # fmt: skip
    assert found[-1].subject.startswith("the setting ")


def test_a_fact_from_outside_names_the_setting_that_decides_it():
    fact = Fact("base digest", lambda settings: f"of {settings.other}", Setting("other"))
    done = Marker({"base digest": "of 7"}, {}, {}, 1.0)
    assert changes(done, Known(Settings()), (fact,), ()) == []
    [change] = changes(done, Known(Settings(other=8)), (fact,), ())
    assert change.subject == "--config.other: its base digest"


NUMBERS = st.builds(
    Settings,
    seed=st.integers(0, 2),
    other=st.integers(0, 2),
    first=st.builds(Group, num=st.integers(0, 2), kind=st.sampled_from(["", "a"])),
    second=st.builds(Group, num=st.integers(0, 2)),
)


def branching(seen):
    """Read settings that depend on settings read before."""
    if seen.seed == 0:
        return seen.first.num + (seen.other if seen.first.kind else 0)
    return whole(seen.second).num * seen.seed


@given(NUMBERS, NUMBERS)
def test_where_nothing_noted_has_changed_the_result_is_the_same(one, other):
    seen, notes = view(one)
    found = branching(seen)
    if not changes(marker(notes), Known(other), (), ()):
        assert branching(view(other)[0]) == found
