"""An experiment's settings are held against what is there before any stage runs."""

import dataclasses
import json

import pytest

from procsup_jax.errors import UserError
from procsup_jax.parallel.mesh import MeshSettings
from procsup_jax.stages.context import Context
from procsup_jax.stages.experiment import BaseSettings, ExperimentSettings
from procsup_jax.stages.run import check_experiment
from procsup_jax.stages.stage import CheckedFolder, RunFolder

SETTINGS = ExperimentSettings()


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run")


def check(folder, **changes):
    check_experiment(Context(dataclasses.replace(SETTINGS, **changes), folder))


def finish(folder, settings=SETTINGS):
    """Leave the marker of every stage that these settings have."""

    def leave(checked, stage):
        marker = {"settings": stage.recorded, "inputs": {}, "outputs": {}, "wall_clock_s": 1.0}
        (folder / f"stages/{stage.name}.json").write_text(json.dumps(marker))

    (folder / "stages").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CheckedFolder, "run", leave)
        check_experiment(Context(settings, folder))


def test_the_same_settings_pass_and_nothing_is_written(folder):
    check(folder)
    assert list(folder.path.iterdir()) == []
    finish(folder)
    check(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": 1}, "--config.seed is 1, but stage data in .* was finished with 0"),
        ({"rm_samples": 4}, "--config.rm_samples is 4, but stage sample-sft.rm in .* was finished with 8"),
        (
            {"evaluate": dataclasses.replace(SETTINGS.evaluate, num_samples=5)},
            "--config.evaluate.num_samples is 5, but stage sample-.*drawn in .* was finished with 96",
        ),
        (
            {"distil": dataclasses.replace(SETTINGS.distil, num_steps=5)},
            "--config.distil.num_steps is 5, but stage train-sft_final_answer_rl.epoch1 in .* was finished with 1000",
        ),
        ({"process_labels": "intermediate"}, "--config.process_labels is .intermediate., but stage train-sft_prm"),
        (
            {"base": BaseSettings(source="train")},
            "--config.base.source is .train., but stage base in .* was finished with .shipped.",
        ),
    ],
)
def test_a_changed_key_of_any_finished_stage_is_refused_first(folder, changes, said):
    finish(folder)
    with pytest.raises(UserError, match=said):
        check(folder, **changes)


def test_a_base_that_reads_less_is_refused_first(folder):
    with pytest.raises(UserError, match="setting config.seq_len is 600, expected at most 512: the base model reads"):
        check(folder, seq_len=600)
    with pytest.raises(UserError, match="setting config.sample.max_new_tokens is 512, expected at most 511"):
        check(folder, sample=dataclasses.replace(SETTINGS.sample, max_new_tokens=512))
    with pytest.raises(UserError, match="cannot read .*nowhere.model.json: no such file"):
        check(folder, base=BaseSettings(source="nowhere"))
    with pytest.raises(UserError, match="devices"):
        check(folder, mesh=MeshSettings(data=4096), sft=dataclasses.replace(SETTINGS.sft, batch_size=4096))


def test_a_stray_file_among_the_markers_is_named(folder):
    (folder / "stages").mkdir()
    (folder / "stages/notes.json").write_text("[]")
    with pytest.raises(UserError, match="notes.json is not what a finished stage leaves"):
        check(folder)
