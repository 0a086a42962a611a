import dataclasses
import json

import jax
import numpy as np
import pytest

from procsup_jax.errors import UserError
from procsup_jax.stages.stage import RunFolder, Stage


class Doubler:
    """A stage that doubles the number in a file and counts how often it ran."""

    def __init__(self, folder):
        self.folder, self.runs = folder, 0

    def stage(self, **settings):
        return Stage("double", {"config.factor": 2, **settings}, ("in.txt",), ("out/a.txt",), self.run)

    def run(self):
        self.runs += 1
        (self.folder / "out/a.txt").write_text(str(2 * int((self.folder / "in.txt").read_text())))


@pytest.fixture
def doubler(tmp_path):
    folder = RunFolder(tmp_path / "run")
    (folder / "in.txt").write_text("21")
    return Doubler(folder)


def test_a_finished_stage_is_not_run_again(doubler):
    doubler.folder.run(doubler.stage())
    doubler.folder.run(doubler.stage())
    assert doubler.runs == 1
    assert (doubler.folder / "out/a.txt").read_text() == "42"
    assert list(doubler.folder.wall_clock()) == ["double"]


def test_a_marker_says_what_was_compiled(doubler, capsys, monkeypatch):
    def work():
        jax.jit(lambda x: x * 7)(np.arange(13.0))
        doubler.run()

    monkeypatch.setattr("procsup_jax.stages.stage._SHOWN_COMPILE_S", 0.0)
    doubler.folder.run(dataclasses.replace(doubler.stage(), run=work))
    marker = json.loads((doubler.folder / "stages/double.json").read_text())
    assert marker["programs_compiled"] + marker["programs_cached"] == 1
    assert marker["compile_s"] >= 0.0
    assert capsys.readouterr().err.startswith("double: ")


def test_a_changed_setting_is_an_error_that_names_the_key(doubler):
    doubler.folder.run(doubler.stage(**{"config.sft.num_steps": 3}))
    with pytest.raises(UserError, match="--config.sft.num_steps is 4, but stage double in .* was finished with 3"):
        doubler.folder.run(doubler.stage(**{"config.sft.num_steps": 4}))


@pytest.mark.parametrize("name", ["in.txt", "out/a.txt"])
def test_a_changed_file_makes_the_stage_run_again(doubler, name):
    doubler.folder.run(doubler.stage())
    (doubler.folder / name).write_text("5")
    doubler.folder.run(doubler.stage())
    assert doubler.runs == 2


def test_a_stage_that_fails_leaves_no_marker(doubler):
    (doubler.folder / "in.txt").write_text("no number")
    with pytest.raises(ValueError, match="invalid literal"):
        doubler.folder.run(doubler.stage())
    assert not (doubler.folder / "stages/double.json").exists()


def test_a_damaged_marker_is_named(doubler):
    doubler.folder.run(doubler.stage())
    marker = doubler.folder / "stages/double.json"
    marker.write_text(json.dumps({})[:1])
    with pytest.raises(UserError, match="double.json.*delete it"):
        doubler.folder.run(doubler.stage())
