import dataclasses
import functools
import math

import jax
import pytest

from procsup_jax import fields
from procsup_jax.errors import UserError
from procsup_jax.models import api

TINY = {"vocab_size": 40, "num_layers": 2, "d_model": 16, "num_heads": 4, "num_kv_heads": 2, "head_dim": 8, "d_ff": 24}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_kv_heads": 3}, "num_heads=4 is no multiple of num_kv_heads=3"),
        ({"head_dim": 7}, "head_dim=7: rotary positions need an even number"),
        ({"d_model": 0}, "d_model=0: expected at least 1"),
        ({"dropout": 1.0}, "dropout=1.0: expected a number from 0 to below 1"),
        ({"shift_width": -1}, "shift_width=-1: expected 0 or more"),
        ({"dtype": "float16"}, "dtype='float16': expected one of float32, bfloat16"),
    ],
)
def test_values_that_do_not_go_together_are_reported(changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        api.ModelConfig(**{**TINY, **changes})


def test_an_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"preset '7b' is unknown: expected one of 0.1m, 0.5m, 1m, .*70b"):
        api.preset("7b", 100)


def test_an_unknown_field_names_the_nearest() -> None:
    with pytest.raises(UserError, match="'num_layer' is unknown: the nearest one is 'num_layers'"):
        api.preset("1m", 100, num_layer=3)


def test_changes_override_a_preset() -> None:
    config = api.preset("1m", 100, num_layers=3, dropout=0.1)
    assert (config.vocab_size, config.num_layers, config.d_model, config.dropout) == (100, 3, 128, 0.1)


@pytest.mark.parametrize("changes", [{}, {"tied_embeddings": False}, {"shift_width": 3}, {"num_kv_heads": 1}])
def test_num_params_counts_what_init_makes(changes: dict) -> None:
    config = api.ModelConfig(**{**TINY, **changes})
    params = api.init_params(config, jax.random.key(0))
    assert api.num_params(config) == sum(a.size for a in jax.tree.leaves(params))


@pytest.mark.parametrize("name", api.PRESETS)
def test_num_params_of_every_preset_matches_its_shapes_and_its_name(name: str) -> None:
    config = api.preset(name, 1024)
    shapes = jax.tree.leaves(api.abstract_params(config))
    assert api.num_params(config) == sum(math.prod(a.shape) for a in shapes)
    named = float(name[:-1]) * {"m": 1e6, "b": 1e9}[name[-1]]
    without_embeddings = api.num_params(config) - 1024 * config.d_model * (1 if config.tied_embeddings else 2)
    assert 0.7 < without_embeddings / named < 1.4


def test_known_sizes_have_their_published_number_of_parameters() -> None:
    assert api.num_params(api.preset("135m", 49152)) == 134_515_008  # SmolLM2-135M
    assert api.num_params(api.preset("8b", 128256)) == 8_030_261_248  # Llama 3.1 8B
    assert api.num_params(api.preset("70b", 128256)) == 70_553_706_496  # Llama 3.1 70B


@pytest.mark.parametrize("context_len", [1, 16])
def test_forward_flops_agree_with_the_compiler(context_len: int) -> None:
    # Wide enough that matmuls, which both count, outweigh the elementwise work, which only the compiler counts.
    config = api.ModelConfig(**{**TINY, "d_model": 128, "d_ff": 256, "head_dim": 32, "vocab_size": 256})

    def logits(dparams: api.DecoderParams, token_ngt: jax.Array, prefix: api.KV, suffix: api.KV) -> jax.Array:
        zero = jax.numpy.zeros((1, 1), int)
        hidden, _ = api.extend(config, dparams, token_ngt, prefix, zero[0], suffix, zero)
        return api.unembed(config, dparams, hidden)

    kv = jax.eval_shape(lambda: (api.init_kv(config, 1, 0), api.init_kv(config, 1, context_len)))
    token = jax.ShapeDtypeStruct((1, 1, 1), jax.numpy.int32)
    dparams = jax.eval_shape(functools.partial(api.unstack, config, donate=False), api.abstract_params(config))
    cost = jax.jit(logits).lower(dparams, token, *kv).cost_analysis()
    assert api.forward_flops_per_token(config, context_len) == pytest.approx(cost["flops"], rel=0.05)


def test_remat_and_attention_are_written_as_before_they_had_names() -> None:
    config = api.preset("1m", 64)
    assert config.to_json()["remat"] is False and "attention" not in config.to_json()
    assert dataclasses.replace(config, remat="full").to_json()["remat"] is True
    for changes in ({}, {"remat": "full"}, {"remat": "dots", "attention": "plain", "cache_dtype": "bfloat16"}):
        changed = dataclasses.replace(config, **changes)
        assert fields.build(api.ModelConfig, changed.to_json(), "config") == changed
    assert dataclasses.replace(config, remat=True).remat == "full"


@pytest.mark.parametrize(
    ("name", "value", "known"),
    [("remat", "half", "none, full, dots, dots_no_batch"), ("attention", "fast", "auto, plain, splash, flash, cudnn")],
)
def test_unknown_names_list_the_known_ones(name: str, value: str, known: str) -> None:
    with pytest.raises(UserError, match=f"model {name}='{value}': expected one of {known}"):
        api.preset("1m", 64, **{name: value})
    with pytest.raises(UserError, match=f"config.{name}='{value}': expected one of {known}"):
        fields.build(api.ModelConfig, {**api.preset("1m", 64).to_json(), name: value}, "config")
