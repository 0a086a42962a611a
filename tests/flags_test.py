"""A job's flags are its function's parameters, groups of them dataclasses."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Annotated, Literal

import pytest

from procsup_jax import arguments, flags
from procsup_jax.errors import UserError
from procsup_jax.flags import About, Flags, flag


@dataclasses.dataclass(frozen=True)
class Own(Flags):
    problems: pathlib.Path = flag("the problems")
    from_: Literal["a", "b"] | None = flag("where from", None)
    k: int = flag("how many", 8)
    labels: Sequence[pathlib.Path] = flag("labels", ())


@dataclasses.dataclass(frozen=True)
class Mesh:
    data: int = 1
    """Devices of the batch."""


@dataclasses.dataclass(frozen=True)
class Settings:
    rate: float = 0.5


def job(flags: Own, mesh: Mesh, plain: Annotated[float, About("how much")] = 0.5):
    """Do it."""


def optional(name: str = "x", config: Settings = Settings()):
    """Do something."""


def needs(config: Settings):
    """Do something else."""


def moves(
    source: Annotated[pathlib.Path, About("from", reads="file")],
    to: Annotated[pathlib.Path, About("to", writes="file")],
):
    """Move a file."""


def test_fields_are_flags_and_other_groups_are_dotted():
    found = arguments.parse("job", job, ["--problems=p", "--from=b", "--labels=l", "--labels=m", "--mesh.data=2"])
    own = Own(pathlib.Path("p"), "b", 8, (pathlib.Path("l"), pathlib.Path("m")))
    assert found == {"flags": own, "mesh": Mesh(2), "plain": 0.5}
    assert [each.name for each in flags.flags_of(job)] == ["problems", "from", "k", "labels", "mesh.data", "plain"]


def test_what_is_said_of_a_flag_stands_in_a_field_an_annotation_or_a_docstring():
    said = {each.name: each.about.description for each in flags.flags_of(job)}
    assert said["k"] == "how many" and said["plain"] == "how much" and said["mesh.data"] == "Devices of the batch."


def test_what_is_read_has_to_be_there_and_what_is_written_has_to_have_room(tmp_path):
    source, target = tmp_path / "s", tmp_path / "new" / "t"
    with pytest.raises(UserError, match="^--source=.*/s: no such file"):
        arguments.parse("moves", moves, [f"--source={source}", f"--to={target}"])
    source.write_text("")
    assert arguments.parse("moves", moves, [f"--source={source}", f"--to={target}"]) == {"source": source, "to": target}
    with pytest.raises(UserError, match="^--to=.* is a folder, expected a file"):
        arguments.parse("moves", moves, [f"--source={source}", f"--to={tmp_path}"])
    with pytest.raises(UserError, match="^--source= is empty"):
        arguments.parse("moves", moves, ["--source=", f"--to={target}"])


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
        arguments.parse("job", job, argv)
    assert message in str(error.value) and str(error.value).endswith("see procsup job --help")


def test_configurations_are_apart():
    assert arguments.config_arguments(["--config=a", "--k=1", "--config.b=2"]) == (
        ["--config=a", "--config.b=2"],
        ["--k=1"],
    )
    assert [flags.settings_of(run) for run in (job, optional, needs)] == [None, Settings, Settings]
    assert [flags.needs_config(run) for run in (job, optional, needs)] == [False, False, True]
    assert [each.name for each in flags.flags_of(optional)] == ["name"]
