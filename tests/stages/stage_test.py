import dataclasses
import json

import jax
import numpy as np
import pytest

from procsup_jax.errors import UserError
from procsup_jax.stages.stage import CheckedFolder, RunFolder, Stage


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


def test_the_error_names_the_flag_that_was_given_and_prefers_what_both_have(doubler):
    done = doubler.stage(**{"config.sample.num_samples": 3, "base digest": "a", "config.base.source": "shipped"})
    doubler.folder.run(dataclasses.replace(done, set_by={"base digest": "config.base.source"}))
    changed = doubler.stage(**{"config.sample.num_samples": 4, "base digest": "a", "config.base.source": "shipped"})
    with pytest.raises(UserError, match="^--config.rm_samples is 4, but stage double in .* was finished with 3; set"):
        doubler.folder.run(dataclasses.replace(changed, set_by={"config.sample.num_samples": "config.rm_samples"}))
    other = doubler.stage(**{"config.sample.num_samples": 3, "config.base.source": "train", "config.base.x": 1})
    with pytest.raises(UserError, match=r"^--config.base.source is 'train', .* 'shipped' \(2 more settings differ\)"):
        doubler.folder.run(other)
    digest = doubler.stage(**{"config.sample.num_samples": 3, "base digest": "b", "config.base.source": "shipped"})
    with pytest.raises(UserError, match="^--config.base.source: its base digest is 'b', but stage"):
        doubler.folder.run(dataclasses.replace(digest, set_by={"base digest": "config.base.source"}))


def test_a_setting_of_a_marker_that_no_flag_sets_is_shown(doubler):
    doubler.folder.run(doubler.stage(**{"config&x\n": 1}))
    with pytest.raises(UserError, match="the setting .config&x.* is not set, but stage double"):
        doubler.folder.run(doubler.stage())


def test_a_setting_that_earlier_versions_did_not_record_is_compared_once_it_is(doubler):
    newer = dataclasses.replace(doubler.stage(**{"config.kind": "a"}), newer=("config.kind",))
    doubler.folder.run(doubler.stage())
    doubler.folder.run(newer)
    assert doubler.runs == 1
    (doubler.folder / "in.txt").write_text("4")
    doubler.folder.run(newer)
    with pytest.raises(UserError, match="--config.kind is 'b', but"):
        doubler.folder.run(dataclasses.replace(newer, settings={**newer.settings, "config.kind": "b"}))


def test_a_check_runs_nothing(doubler):
    check = CheckedFolder(doubler.folder)
    check.run(doubler.stage())
    doubler.folder.run(doubler.stage(**{"config.sft.num_steps": 3}))
    with pytest.raises(UserError, match="--config.sft.num_steps is 4"):
        check.run(doubler.stage(**{"config.sft.num_steps": 4}))
    assert doubler.runs == 1


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
    good = marker.read_text()
    for text in (
        "{", "[]", "3", "null", '"x"', "", "[" * 100_000, "\0", "\ufeff{}", "{}", good.replace('"settings"', '"set"'),
        good.replace('"inputs": {', '"inputs": [{').replace(' },\n "outputs"', ' }],\n "outputs"'),
        json.dumps({**json.loads(good), "settings": [1]}), json.dumps({**json.loads(good), "outputs": {"a": 1}}),
        json.dumps({**json.loads(good), "wall_clock_s": "1"}), json.dumps({**json.loads(good), "wall_clock_s": 1e999}),
    ):  # fmt: skip
        marker.write_text(text)
        with pytest.raises(UserError, match="double.json is not what a finished stage leaves .*; delete it"):
            doubler.folder.run(doubler.stage())
        with pytest.raises(UserError, match="double.json"):
            CheckedFolder(doubler.folder).check_markers()
