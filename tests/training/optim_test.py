import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from procsup_jax.errors import UserError
from procsup_jax.models import api
from procsup_jax.training import optim
from procsup_jax.training.programs import programs
from procsup_jax.training.settings import ALGORITHMS


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [
        ("constant", [1, 1, 1, 1, 1]),
        ("linear", [1, 0.8, 0.6, 0.4, 0.2]),
        ("cosine", [0.2 + 0.8 * (1 + math.cos(math.pi * i / 4)) / 2 for i in range(5)]),
    ],
)
def test_the_rate_warms_up_and_then_follows_its_schedule(schedule, wanted):
    settings = optim.OptimSettings(peak_lr=1.0, warmup_steps=4, schedule=schedule, end_lr_ratio=0.2)
    rates = [float(optim.learning_rate(settings, 8)(i)) for i in range(9)]
    np.testing.assert_allclose(rates, [0.25, 0.5, 0.75, 1.0, *wanted], rtol=1e-6)


def test_without_warm_up_the_first_step_has_the_peak_rate():
    assert float(optim.learning_rate(optim.OptimSettings(peak_lr=0.5), 10)(0)) == 0.5


def updates_of(config, grads, **settings):
    """Return the first step's updates at a rate of 1; every parameter is 3."""
    optimiser = optim.make_optimiser(optim.OptimSettings(**settings), config)
    params = jax.tree.map(lambda shape: jnp.full(shape.shape, 3.0), api.abstract_params(config))
    return jax.jit(optimiser.update)(grads(params), optimiser.init(params), params)[0]


def is_matrix(path):
    name = jax.tree_util.keystr(path)
    return "layers" in name and "norm" not in name and "mix" not in name


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("tied", [True, False])
def test_only_matrices_decay(config, tied, algorithm):
    config = dataclasses.replace(config, tied_embeddings=tied, shift_width=2)
    zeros = functools.partial(jax.tree.map, jnp.zeros_like)
    updates = updates_of(config, zeros, algorithm=algorithm, weight_decay=0.5)
    for path, update in jax.tree_util.tree_leaves_with_path(updates):
        np.testing.assert_allclose(update, -0.5 * 3.0 if is_matrix(path) else 0.0, rtol=1e-6, err_msg=str(path))


def test_clipping_leaves_the_direction_only(config):
    small, large = (
        updates_of(config, functools.partial(jax.tree.map, lambda x, size=size: jnp.full(x.shape, size)), clip_norm=1.0)
        for size in (0.5, 5e9)
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), small, large)


def test_muon_moves_every_direction_of_a_matrix_alike(config):
    """The singular values of a layer's update are nearly equal, and its RMS is about AdamW's 0.2."""
    config = dataclasses.replace(config, num_layers=2)

    def grads(params):
        return jax.tree.map(lambda x: jax.random.normal(jax.random.key(x.size), x.shape) ** 3, params)

    layers = updates_of(config, grads, algorithm="muon", weight_decay=0.0)["layers"]
    qkv = layers["attention"]["qkv"]
    one_projection = [qkv[layer, :, :, i].reshape(config.d_model, -1) for layer in range(2) for i in range(3)]
    for matrix in (*layers["attention"]["out"], *layers["mlp"]["down"], *layers["mlp"]["gate"], *one_projection):
        values = np.linalg.svd(matrix, compute_uv=False)
        assert values.min() > 0.5 * values.max(), "Newton-Schulz leaves them within about 0.7 to 1.2 of each other"
        square = matrix.size / max(matrix.shape) ** 2
        assert 0.5 < np.sqrt(np.mean(np.square(matrix))) / (0.2 * np.sqrt(square)) < 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"algorithm": "sgd"}, "algorithm='sgd': expected one of adamw, muon"),
        ({"schedule": "exp"}, "schedule='exp': expected one of constant, cosine, linear"),
        ({"peak_lr": 0.0}, "peak_lr=0.0: expected a positive number"),
        ({"b2": 1.0}, "b2=1.0: expected a number from 0 to below 1"),
        ({"warmup_steps": -1}, "warmup_steps=-1: expected 0 or more"),
    ],
)
def test_values_out_of_range_are_refused(change, message):
    with pytest.raises(UserError, match=message):
        optim.OptimSettings(**change)


def test_settings_that_show_in_the_learning_rate_alone_share_a_program(config):
    a = optim.OptimSettings(peak_lr=0.5, warmup_steps=3, schedule="cosine", end_lr_ratio=0.1)
    assert programs(config, None, a, None) is programs(config, None, optim.OptimSettings(), None)
    other = optim.OptimSettings(weight_decay=0.0)
    assert programs(config, None, other, None) is not programs(config, None, a, None)
