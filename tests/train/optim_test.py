import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from procsup_jax.errors import UserError
from procsup_jax.models import api
from procsup_jax.train import optim


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


@pytest.mark.parametrize("tied", [True, False])
def test_only_matrices_decay(config, tied):
    config = dataclasses.replace(config, tied_embeddings=tied)
    decays = optim.decay_mask(config)
    kernels = decays["layers"]
    flat = jax.tree_util.tree_leaves_with_path(kernels)
    assert any(value for _, value in flat)
    for path, value in flat:
        assert value == ("norm" not in jax.tree_util.keystr(path)), path
    others = {name: tree for name, tree in decays.items() if name != "layers"}
    assert "embedding" in others and not any(jax.tree.leaves(others))
    assert jax.tree.structure(decays) == jax.tree.structure(api.abstract_params(config))


def test_decay_and_clipping_act_as_set():
    settings = optim.OptimSettings(peak_lr=0.1, weight_decay=0.5, clip_norm=1.0)
    optimiser = optim.make_optimiser(settings, 10, {"w": True, "b": False})
    params = {"w": jnp.full((2, 2), 3.0), "b": jnp.full(2, 3.0)}
    state, update = optimiser.init(params), jax.jit(optimiser.update)
    updates, _ = update(jax.tree.map(jnp.zeros_like, params), state, params)
    np.testing.assert_allclose(updates["w"], -0.1 * 0.5 * 3.0, rtol=1e-6)
    np.testing.assert_array_equal(updates["b"], 0.0)
    small, _ = update({"w": jnp.full((2, 2), 0.5), "b": jnp.zeros(2)}, state, params)
    large, _ = update({"w": jnp.full((2, 2), 5e9), "b": jnp.zeros(2)}, state, params)
    np.testing.assert_allclose(small["w"], large["w"], rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schedule": "exp"}, "schedule='exp': expected one of constant, cosine, linear"),
        ({"peak_lr": 0.0}, "peak_lr=0.0: expected a positive number"),
        ({"b2": 1.0}, "b2=1.0: expected 0 <= b2 < 1"),
        ({"warmup_steps": -1}, "warmup_steps=-1: expected 0 or more"),
    ],
)
def test_values_out_of_range_are_refused(change, message):
    with pytest.raises(UserError, match=message):
        optim.OptimSettings(**change)
