"""Few-shot prompts of the shipped experiments leave room for what the policy writes after them."""

import pathlib

import pytest

from procsup_jax import settings
from procsup_jax.stages.base import run_base
from procsup_jax.stages.context import Context
from procsup_jax.stages.data import run_data
from procsup_jax.stages.experiment import ExperimentSettings
from procsup_jax.stages.solutions import worked_examples
from procsup_jax.stages.stage import RunFolder

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("name", ["demo", "findings", "worlds_base"])
def test_a_worked_example_fits_before_every_problem(name, tmp_path):
    config = settings.load([f"--config={CONFIGS / name}.py", "--config.base.source=shipped"])
    ctx = Context(settings.from_config(ExperimentSettings, config), RunFolder(tmp_path))
    run_data(ctx)
    run_base(ctx)
    assert len(worked_examples(ctx)) == config.few_shot == 1
