"""The base's training goes on from another run's."""

import pathlib

import jax
import numpy as np
import pytest

from procsup_jax import settings
from procsup_jax.errors import UserError
from procsup_jax.recipes.base import MODEL, base
from procsup_jax.recipes.settings import BaseSettings, ExperimentSettings
from procsup_jax.runner.folder import RunFolder
from procsup_jax.runner.graph import Graph

CONFIG = str(pathlib.Path(__file__).parents[2] / "configs/worlds_base.py:tiny")


def train(path, *changes):
    config = settings.load([f"--config={CONFIG}", *changes])
    folder = RunFolder(path, settings.from_config(ExperimentSettings, config))
    folder.run(Graph.of(base(folder.settings)))
    return folder


def model(folder):
    return folder.read(MODEL).load()


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return train(tmp_path_factory.mktemp("base") / "first")


def test_it_goes_on_from_another_runs_base(first, tmp_path):
    start = first.path / MODEL.path
    second = train(tmp_path, f"--config.base.start={start}", "--config.base.first_document=60")
    old, new = model(first), model(second)
    assert new.tokenizer.digest == old.tokenizer.digest
    assert new.metadata["start"]["digest"] == old.digest != new.digest
    assert new.metadata["data"] != old.metadata["data"]


def test_a_start_of_other_sizes_is_an_error(first, tmp_path):
    with pytest.raises(UserError, match="holds a model of other sizes"):
        train(tmp_path, f"--config.base.start={first.path / MODEL.path}", "--config.base.preset=0.5m")


def test_a_start_with_a_narrower_token_shift_gets_wider(first, tmp_path):
    second = train(tmp_path, f"--config.base.start={first.path / MODEL.path}", "--config.base.shift_width=4")
    assert (model(first).config.shift_width, model(second).config.shift_width) == (3, 4)


@pytest.mark.parametrize("width", [2, 0])
def test_a_start_with_a_wider_token_shift_is_an_error(first, tmp_path, width):
    start = f"--config.base.start={first.path / MODEL.path}"
    with pytest.raises(UserError, match="holds a model of other sizes"):
        train(tmp_path, start, f"--config.base.shift_width={width}")


def test_a_folders_model_can_be_cut_to_its_first_layers(first, tmp_path):
    whole = model(first)
    cut = ExperimentSettings(base=BaseSettings(source=str(first.path / MODEL.path), keep_layers=1))
    folder = RunFolder(tmp_path, cut)
    folder.run(Graph.of(base(cut)))
    found = model(folder)
    assert (whole.config.num_layers, found.config.num_layers) == (2, 1)
    for kept, old in zip(jax.tree.leaves(found.params["layers"]), jax.tree.leaves(whole.params["layers"]), strict=True):
        assert np.array_equal(kept, old[:1])
    assert found.logprobs([3, 4, 5]).shape == (2,)
