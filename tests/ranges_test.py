import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from procsup_jax import arguments, fields, flags, ranges
from procsup_jax.errors import UserError
from procsup_jax.ranges import BadValue, Count, Positive, Seed, Share, ShareAboveZero, ShareBelowOne, Size


@dataclasses.dataclass(frozen=True)
class Group:
    pairs: tuple[tuple[str, Share], ...] = (("a", 0.5),)
    limit: Count | None = None

    def __post_init__(self):
        ranges.check(self)


@dataclasses.dataclass(frozen=True)
class Whole:
    group: Group
    seed: Seed = 0
    on: bool = False


@pytest.mark.parametrize(
    ("hint", "good", "bad"),
    [
        (Seed, (0, 1, 2**32 - 1, np.int64(4)), (-1, 2**32, 2**64, 1.0, True, "1", None, float("nan"))),
        (Count, (1, 2**31 - 1), (0, -3, 2**31, 1.5)),
        (Size, (0, 5), (-1,)),
        (Share, (0, 1, 0.5), (-0.1, 1.1, float("nan"), float("inf"), [0.5])),
        (ShareBelowOne, (0.0, 0.999), (1.0, -1e-9)),
        (ShareAboveZero, (1.0, 1e-9), (0.0, 1.1)),
        (Positive, (1e-300, 1e300), (0.0, -1.0, float("inf"), float("nan"))),
    ],
)
def test_ranges_hold_what_they_say(hint, good, bad):
    for value in good:
        ranges.check_value("x", value, hint)
    for value in bad:
        with pytest.raises(BadValue, match="^x="):
            ranges.check_value("x", value, hint)


def test_numbers_inside_tuples_and_groups_are_named_by_their_place():
    with pytest.raises(BadValue, match=r"pairs\[1\]\[1\]=2.0: expected a number from 0 to 1"):
        Group(pairs=(("a", 0.1), ("b", 2.0)))
    with pytest.raises(BadValue) as caught:
        fields.build(Whole, {"group": {"pairs": [["a", 0.1], ["b", -1]]}}, "config")
    assert (caught.value.field, caught.value.value) == ("config.group.pairs[1][1]", -1.0)
    with pytest.raises(UserError, match=r"config.group is missing"):
        fields.build(Whole, {}, "config")
    with pytest.raises(BadValue, match=r"config.group.limit=0: expected at least 1"):
        fields.build(Whole, {"group": {"limit": 0}}, "config")
    assert fields.build(Whole, {"group": {"limit": None}}, "config").group == Group()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["group", "seed", "on", "x"]), JSON | st.fixed_dictionaries({"limit": JSON})))
def test_whatever_stands_in_a_mapping_is_a_dataclass_or_an_error_for_the_user(values):
    try:
        found = fields.build(Whole, values, "config")
    except UserError as error:
        assert "config" in str(error)
    else:
        assert isinstance(found, Whole) and 0 <= found.seed <= ranges.MAX_SEED


@dataclasses.dataclass(frozen=True)
class JobFlags(flags.Flags):
    seed: Seed = flags.flag("drawn by", 0)
    share: Share = flags.flag("of all", 0.5)


@dataclasses.dataclass(frozen=True)
class Limits:
    limit: Count = 1

    def __post_init__(self):
        ranges.check(self)


def job(flags: JobFlags, group: Limits):
    """Do nothing."""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("--seed=-1", "--seed=-1: expected a whole number from 0 to 4294967295; see procsup job --help"),
        ("--seed=18446744073709551616", "--seed=18446744073709551616: expected a whole number from 0"),
        ("--share=nan", "--share=nan: expected a number from 0 to 1"),
        ("--group.limit=0", "--group.limit=0: expected at least 1"),
    ],
)
def test_a_flag_out_of_its_range_is_named(given, said):
    with pytest.raises(UserError, match=said):
        arguments.parse("job", job, [given])


@pytest.mark.parametrize("job", ["sample", "search", "train", "vote", "evaluate", "data"])
def test_every_job_with_a_seed_holds_it_to_its_range(job):
    import importlib

    [seed] = [
        each for each in flags.flags_of(importlib.import_module(f"procsup_jax.jobs.{job}").run) if each.name == "seed"
    ]
    assert seed.default == 0
    cls = importlib.import_module(f"procsup_jax.jobs.{job}").__dict__[f"{job.capitalize()}Flags"]
    assert Seed.__metadata__[0] in ranges.hints_of(cls)["seed"].__metadata__
