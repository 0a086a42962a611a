import jax
import numpy as np
import pytest

from procsup_jax.errors import UserError
from procsup_jax.models import api

KINDS = [
    api.ClassifierHead(),
    api.ClassifierHead(1, 2, bias=False),
    api.ClassifierHead(2, 1, hidden=5, activation="tanh"),
    api.ClassifierHead(2, 2),
]
ACTIVATIONS = {"relu": lambda x: np.maximum(x, 0), "tanh": np.tanh}


def with_random_head(config, params, head):
    rng = np.random.default_rng(3)
    drawn = api.with_head(config, params, head)
    return {**drawn, "head": jax.tree.map(lambda a: np.float32(rng.standard_normal(a.shape)), drawn["head"])}


@pytest.mark.parametrize("head", KINDS, ids=str)
def test_it_is_the_logit_of_the_positive_output(config, make_params, tokens_bl, run, read_whole, head):
    params = with_random_head(config, make_params(config), head)
    states = run(config, params, tokens_bl)
    own = jax.tree.map(np.float64, params["head"])
    for name in ("hidden", "out")[2 - head.num_layers :]:
        states = states @ own[name]["kernel"] + own[name].get("bias", 0)
        if name == "hidden":
            states = ACTIVATIONS[head.activation](states)
    got = read_whole(config, head, params, tokens_bl)
    want = 1 / (1 + np.exp(-states[..., 0])) if head.num_outputs == 1 else softmax(states)[..., 1]
    np.testing.assert_allclose(1 / (1 + np.exp(-got.astype(float))), want, atol=1e-5)


def softmax(x):
    exps = np.exp(x - x.max(-1, keepdims=True))
    return exps / exps.sum(-1, keepdims=True)


@pytest.mark.parametrize(
    ("head", "want"), list(zip(KINDS, [17, 32, 16 * 5 + 5 + 5 + 1, 16 * 16 + 16 + 32 + 2], strict=True))
)
def test_shapes_follow_the_settings(config, head, want):
    assert api.num_params(config, head) - api.num_params(config) == want
    axes, shapes = api.param_axes(config, head)["head"], api.abstract_params(config, head)["head"]
    jax.tree.map(
        lambda names, shape: len(names) == shape.ndim or pytest.fail(str(shape)), axes, shapes, is_leaf=is_axes
    )


def is_axes(node):
    return isinstance(node, tuple)


def test_it_starts_near_one_half_and_follows_the_key():
    config, head = api.preset("1m", 64), api.ClassifierHead(2, 2)
    first, again, other = (api.init_params(config, jax.random.key(seed), head=head) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first["head"]["out"]["kernel"], again["head"]["out"]["kernel"])
    assert not np.allclose(first["head"]["hidden"]["kernel"], other["head"]["hidden"]["kernel"])
    tokens = np.random.default_rng(0).integers(0, 64, (2, 50))
    positions, ones = np.tile(np.arange(50), (2, 1)), np.ones_like(tokens)
    logits = jax.jit(api.rm_logits, static_argnums=(0, 1))(config, head, first, tokens, positions, ones, ones)
    assert 0.01 < np.abs(logits).mean() < 0.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_layers": 3}, "classifier num_layers=3: expected 1 or 2"),
        ({"num_outputs": 0}, "classifier num_outputs=0: expected 1 or 2"),
        ({"hidden": 4}, "classifier hidden=4 with num_layers=1: expected the width between two layers"),
        ({"num_layers": 2, "hidden": 0}, "classifier hidden=0 with num_layers=2"),
        ({"bias": "no"}, "classifier bias='no': expected true or false"),
        ({"activation": "elu"}, "classifier activation='elu': expected one of relu, gelu, silu, tanh"),
    ],
)
def test_settings_out_of_range_are_one_clear_line(changes, message):
    with pytest.raises(UserError, match=message):
        api.ClassifierHead(**changes)
