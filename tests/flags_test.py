"""A job's flags are its function's parameters, groups of them dataclasses."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Literal

import pytest

from procsup_jax import flags
from procsup_jax.errors import UserError
from procsup_jax.flags import Flags, flag


@dataclasses.dataclass(frozen=True)
class Own(Flags):
    problems: pathlib.Path = flag("the problems")
    from_: Literal["a", "b"] | None = flag("where from", None)
    k: int = flag("how many", 8)
    labels: Sequence[pathlib.Path] = flag("labels", ())


@dataclasses.dataclass(frozen=True)
class Mesh:
    data: int = 1


def job(flags: Own, mesh: Mesh, plain: float = 0.5):
    """Do it."""


def optional(config: dict | None, name: str = "x"):
    """Do something."""


def needs(config: dict):
    """Do something else."""


def test_fields_are_flags_and_other_groups_are_dotted():
    found = flags.parse("job", job, ["--problems=p", "--from=b", "--labels=l", "--labels=m", "--mesh.data=2"])
    own = Own(pathlib.Path("p"), "b", 8, (pathlib.Path("l"), pathlib.Path("m")))
    assert found == {"flags": own, "mesh": Mesh(2), "plain": 0.5}
    assert [each.name for each in flags.flags_of(job)] == ["problems", "from", "k", "labels", "mesh.data", "plain"]


def test_help_describes_choices_and_defaults():
    shown = flags.usage("job", job)
    assert "procsup job: Do it." in shown
    assert "--problems   the problems; required" in shown
    assert "--from       where from; one of a, b; default None" in shown
    assert "--k          how many; default 8" in shown and "--mesh.data  default 1" in shown


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "procsup job needs --problems"),
        (["--problems=p", "--k=x"], "k"),
        (["--problems=p", "--from=c"], "a|b"),
        (["--problems=p", "more"], "takes only --flag=value, found 'more'"),
        (["--problems=p", "--mesh.tensor=2"], "mesh.tensor"),
    ],
)
def test_mistakes_are_one_line(argv, message):
    with pytest.raises(UserError) as error:
        flags.parse("job", job, argv)
    assert message in str(error.value) and str(error.value).endswith("see procsup job --help")


def test_configurations_are_apart():
    assert flags.config_arguments(["--config=a", "--k=1", "--config.b=2"]) == (
        ["--config=a", "--config.b=2"],
        ["--k=1"],
    )
    assert [flags.takes_config(run) for run in (job, optional, needs)] == [False, True, True]
    assert [flags.needs_config(run) for run in (job, optional, needs)] == [False, False, True]
    assert [each.name for each in flags.flags_of(optional)] == ["name"]
