"""The base's training goes on from another run's."""

import pathlib

import pytest

from procsup_jax import settings
from procsup_jax.errors import UserError
from procsup_jax.stages.base import run_base
from procsup_jax.stages.context import Context
from procsup_jax.stages.experiment import ExperimentSettings
from procsup_jax.stages.stage import RunFolder

CONFIG = str(pathlib.Path(__file__).parents[2] / "configs/worlds_base.py:tiny")


def train(folder, *changes):
    config = settings.load([f"--config={CONFIG}", *changes])
    ctx = Context(settings.from_config(ExperimentSettings, config), RunFolder(folder))
    run_base(ctx)
    return ctx


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return train(tmp_path_factory.mktemp("base") / "first")


def test_it_goes_on_from_another_runs_base(first, tmp_path):
    start = first.path("models/base")
    second = train(tmp_path, f"--config.base.start={start}", "--config.base.first_document=60")
    old, new = first.model("base"), second.model("base")
    assert second.encoding.tokenizer.digest == first.encoding.tokenizer.digest
    assert new.metadata["start"]["digest"] == old.digest != new.digest
    assert new.metadata["data"] != old.metadata["data"]


def test_a_start_of_other_sizes_is_an_error(first, tmp_path):
    with pytest.raises(UserError, match="holds a model of other sizes"):
        train(tmp_path, f"--config.base.start={first.path('models/base')}", "--config.base.preset=0.5m")


def test_a_start_with_a_narrower_token_shift_gets_wider(first, tmp_path):
    second = train(tmp_path, f"--config.base.start={first.path('models/base')}", "--config.base.shift_width=4")
    assert (first.model("base").config.shift_width, second.model("base").config.shift_width) == (3, 4)


@pytest.mark.parametrize("width", [2, 0])
def test_a_start_with_a_wider_token_shift_is_an_error(first, tmp_path, width):
    start = f"--config.base.start={first.path('models/base')}"
    with pytest.raises(UserError, match="holds a model of other sizes"):
        train(tmp_path, start, f"--config.base.shift_width={width}")
