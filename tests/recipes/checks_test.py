"""An experiment's settings are held against what is there before any stage runs."""

import dataclasses
import json
import pathlib

import pytest

from procsup_jax import settings
from procsup_jax.errors import UserError
from procsup_jax.parallel.mesh import MeshSettings
from procsup_jax.recipes import uesato2022
from procsup_jax.recipes.settings import BaseSettings, ExperimentSettings
from procsup_jax.runner.folder import RunFolder

CONFIG = pathlib.Path(__file__).parents[2] / "configs/demo.py:tiny"
SETTINGS = settings.from_config(ExperimentSettings, settings.load([f"--config={CONFIG}"]))
DEFAULTS = ExperimentSettings()
# What the stages of this run recorded when they listed their settings by hand.
OLD = json.loads(pathlib.Path(__file__).with_name("markers_of_0_1_0.json").read_text())


def check(path, start=SETTINGS, **changes):
    changed = dataclasses.replace(start, **changes)
    uesato2022.check(changed)
    RunFolder(path, changed).check(uesato2022.graph(changed))


@pytest.fixture
def old_run(tmp_path):
    """Return a folder with the markers that a version from before wrote."""
    (tmp_path / "stages").mkdir()
    for name, index in OLD["stages"].items():
        marker = {"settings": OLD["settings"][index], "inputs": {}, "outputs": {}, "wall_clock_s": 1.0}
        (tmp_path / f"stages/{name}.json").write_text(json.dumps(marker))
    return tmp_path


def test_the_same_settings_pass_and_nothing_is_written(old_run, tmp_path):
    check(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    check(old_run)
    assert {stage.name for stage in uesato2022.graph(SETTINGS).stages if not stage.always} == OLD["stages"].keys()


def of(group, **changes):
    return {group: dataclasses.replace(getattr(SETTINGS, group), **changes)}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": 1}, "--config.seed is 1, but stage data in .* was finished with 0"),
        ({"rm_samples": 4}, "--config.rm_samples is 4, but stage sample-sft.rm in .* was finished with 2"),
        (of("evaluate", num_samples=5), "--config.evaluate.num_samples is 5, but stage sample-.*drawn in .* with 2"),
        (
            of("distil", num_steps=5),
            "--config.distil.num_steps is 5, but stage train-sft_final_answer_rl.epoch1 in .* was finished with 2",
        ),
        (
            of("sample", cache_dtype="bfloat16"),
            "--config.sample.cache_dtype is 'bfloat16', but stage sample-.* with ''",
        ),
        (
            of("search", cache_dtype="bfloat16"),
            "--config.search.cache_dtype is 'bfloat16', but stage sample-.* with ''",
        ),
        (of("evaluate", aggregate="min"), "--config.evaluate.aggregate is 'min', but stage score-"),
        (of("improve", aggregate="min"), "--config.improve.aggregate is 'min', but stage keep-sft_orm_rl"),
        ({"rm_head": "verdict"}, "--config.rm_head is 'verdict', but stage train-sft_orm in .* with 'product'"),
        ({"process_labels": "intermediate"}, "--config.process_labels is .intermediate., but stage train-sft_prm"),
        (
            of("base", source="shipped"),
            "--config.base.source is 'shipped', but stage base in .* was finished with 'train'",
        ),
    ],
)
def test_a_changed_key_of_any_finished_stage_is_refused_first(old_run, changes, said):
    with pytest.raises(UserError, match=said):
        check(old_run, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"score_batch": 3}, {"name": "other"}, {"xla_optimization_level": 3}, of("sample", lanes=2, slots=1),
        of("search", lanes=2), of("sft", checkpoint_every=7), of("improve", own_orm=True),
        of("evaluate", step_search_models=()),
    ],
)  # fmt: skip
def test_what_no_result_depends_on_and_what_no_stage_has_read_may_change(old_run, changes):
    check(old_run, **changes)


def test_a_base_that_reads_less_is_refused_first(tmp_path):
    with pytest.raises(UserError, match="setting config.seq_len is 600, expected at most 512: the base model reads"):
        check(tmp_path, DEFAULTS, seq_len=600)
    with pytest.raises(UserError, match="setting config.sample.max_new_tokens is 512, expected at most 511"):
        check(tmp_path, DEFAULTS, sample=dataclasses.replace(DEFAULTS.sample, max_new_tokens=512))
    with pytest.raises(UserError, match="cannot read .*nowhere.model.json: no such file"):
        check(tmp_path, DEFAULTS, base=BaseSettings(source="nowhere"))
    with pytest.raises(UserError, match="devices"):
        sft = dataclasses.replace(DEFAULTS.sft, batch_size=4096)
        check(tmp_path, DEFAULTS, mesh=MeshSettings(data=4096), **dict.fromkeys(("sft", "orm", "prm", "distil"), sft))


def test_a_stray_file_among_the_markers_is_named(old_run):
    (old_run / "stages/notes.json").write_text("[]")
    with pytest.raises(UserError, match="notes.json is not what a finished stage leaves"):
        check(old_run)


def test_a_batch_that_does_not_divide_over_the_devices_that_are_left_is_said_before_anything_runs(tmp_path):
    with pytest.raises(
        UserError, match=r"setting config.sft.batch_size is 2, expected a multiple of 8: grad_accum=1 over 8 devices"
    ):
        check(tmp_path, mesh=MeshSettings(data=-1))
    check(tmp_path, mesh=MeshSettings(data=2, tensor=-1))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"more_process_labels": ("oracle",)}, "more_process_labels is .*'oracle'.*sources other than oracle"),
        (
            {"process_labels": "rollouts", "more_process_labels": ("oracle",), "data": {"kind": "gsm8k"}},
            "more_process_labels is .*expected intermediate, as the oracle reads the graphs of worlds, or rollouts; "
            "data.kind is gsm8k",
        ),
        ({"with_few_shot": False}, "improve.approaches is .*as with_few_shot is off and few_shot_final_answer_rl does"),
    ],
)
def test_sources_and_policies_have_to_go_together(changes, said):
    with pytest.raises(UserError, match=said):
        settings.from_config(ExperimentSettings, changes)
