"""What `procsup JOB --help` says: every flag and every setting of every job."""

import dataclasses
import importlib
import pathlib
from collections.abc import Sequence
from typing import Annotated, Literal

import pytest

from procsup_jax import flags, settings, usage
from procsup_jax.flags import About, Flags, flag
from procsup_jax.main import JOBS


@dataclasses.dataclass(frozen=True)
class Own(Flags):
    problems: pathlib.Path = flag("the problems", reads="file")
    from_: Literal["a", "b"] | None = flag("where from", None)
    k: int = flag("how many", 8)
    labels: Sequence[pathlib.Path] = flag("labels", (), reads="file")
    skip: bool = flag("skip some", False)


@dataclasses.dataclass(frozen=True)
class Inner:
    """Set what is inside."""

    rate: float = 0.5
    """AdamW's rate."""
    on: bool = False
    """Do it."""


@dataclasses.dataclass(frozen=True)
class Outer:
    """Set it all. Raises nothing."""

    text: str = ""
    """What it says."""
    one: Inner = Inner()
    two: Inner = Inner(rate=0.25)
    three: Inner = Inner()


def job(own: Own, mesh: Annotated[float, About("how much")] = 0.5, config: Outer = Outer()):
    """Do it.

    Returns nothing.
    """


def test_a_flag_has_a_value_a_description_choices_and_a_default():
    lines = usage.usage("job", job).splitlines()
    assert lines[0] == "usage: procsup job --problems=FILE [--flag=value ...]"
    assert "Do it." in lines and not any("Returns nothing" in line for line in lines)
    for wanted in (
        "  --problems=FILE  the problems (required)",
        "  --from=NAME      where from; one of a, b (default none)",
        "  --k=N            how many (default 8)",
        "  --labels=FILE    labels (default ())",
        "  --skip           skip some (default false)",
        "  --mesh=X         how much (default 0.5)",
    ):
        assert wanted in lines


def test_settings_are_grouped_and_a_group_of_a_kind_seen_before_is_not_described_again():
    shown = usage.usage("job", job)
    assert shown.count("AdamW's rate") == 1
    for wanted in (
        'config: Set it all.\n  --config.text=TEXT  what it says (default "")',
        "config.one: Set what is inside.\n"
        "  --config.one.rate=X         AdamW's rate (default 0.5)\n"
        "  --config.one.on=true|false  do it (default false)",
        "config.two: described at config.one, with other defaults here:\n"
        "  --config.two.rate=0.25\n  and the same defaults of\n  --config.two.on",
        "config.three: described at config.one, with the same defaults:\n  --config.three.rate  --config.three.on",
    ):
        assert wanted in shown


def test_a_configuration_given_shows_what_it_sets():
    shown = usage.usage("job", job, Outer(text="hello"))
    assert "--config.text=TEXT  what it says (default hello)" in shown


@pytest.mark.parametrize("name", JOBS)
def test_every_flag_and_setting_of_every_job_is_described_and_fits(name):
    run = importlib.import_module(f"procsup_jax.jobs.{name}").run
    shown = usage.usage(name, run)
    assert not [line for line in shown.splitlines() if len(line) > usage.WIDTH]
    for each in flags.flags_of(run):
        assert each.about.description, f"--{each.name} of procsup {name} lacks a description"
        assert f"  --{each.name}" in shown
    cls = flags.settings_of(run)
    keys = [] if cls is None else settings.flatten(cls())
    assert [key for key in keys if f"--{key}" not in shown] == []
    if cls is not None:
        assert "is a Python program, and is run" in " ".join(shown.split())
        assert list(undescribed(cls())) == []


def undescribed(group, path="config"):
    for each in flags.fields_of(type(group)):
        value = getattr(group, each.field)
        if dataclasses.is_dataclass(value):
            yield from undescribed(value, f"{path}.{each.name}")
        elif not each.about.description:
            yield f"{path}.{each.name}"
