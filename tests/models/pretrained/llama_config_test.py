import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from procsup_jax.errors import UserError
from procsup_jax.models import api
from procsup_jax.models.layers import rotary
from procsup_jax.models.pretrained import llama_config

LLAMA3 = api.RopeScaling(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_len=8192)
HF = {
    "model_type": "llama", "vocab_size": 40, "num_hidden_layers": 2, "hidden_size": 24, "num_attention_heads": 4,
    "intermediate_size": 32,
}  # fmt: skip
GGUF = {
    "general.architecture": "llama", "llama.block_count": 2, "llama.embedding_length": 24,
    "llama.attention.head_count": 4, "llama.feed_forward_length": 32, "llama.vocab_size": 40,
}  # fmt: skip


@pytest.mark.parametrize("scaling", [None, LLAMA3])
def test_a_config_comes_back(config, scaling):
    config = dataclasses.replace(config, rope_scaling=scaling, rope_theta=5e5, norm_eps=1e-6)
    assert llama_config.from_hf(llama_config.to_hf(config, "float32")) == config


def test_what_config_json_leaves_out_is_llamas_default():
    assert llama_config.from_hf(HF) == api.ModelConfig(
        vocab_size=40, num_layers=2, d_model=24, num_heads=4, num_kv_heads=4, head_dim=6, d_ff=32, max_len=2048,
        tied_embeddings=False, rope_theta=10000.0, norm_eps=1e-6,
    )  # fmt: skip


def test_rope_parameters_are_read_in_their_new_place_too():
    new = {**HF, "rope_parameters": {"rope_type": "default", "rope_theta": 123.0}}
    assert llama_config.from_hf(new).rope_theta == 123.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "qwen2"}, "model_type 'qwen2': only the Llama family"),
        ({"model_type": None}, "model_type None"),
        ({"attention_bias": True}, "attention_bias=True is not supported"),
        ({"mlp_bias": True}, "mlp_bias=True is not supported"),
        ({"hidden_act": "gelu"}, "hidden_act='gelu' is not supported"),
        ({"sliding_window": 4096}, "sliding_window=4096 is not supported"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantization_config=.*gptq.* is not supported"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "rope scaling of type 'linear' is not supported"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}, "rope scaling of type 'yarn' is not supported"),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, "'llama3' without low_freq_factor"),
        ({"hidden_size": None}, "hidden_size=None: expected a whole number"),
        ({"num_key_value_heads": 3}, "num_heads=4 is no multiple of num_kv_heads=3"),
    ],
)
def test_what_we_have_not_is_refused_by_name(changes, message):
    with pytest.raises(UserError, match=message):
        llama_config.from_hf({**HF, **changes})


def test_a_token_shift_can_not_be_written(config):
    with pytest.raises(UserError, match="shift_width=3: a Llama has no token shift"):
        llama_config.to_hf(dataclasses.replace(config, shift_width=3), "float32")


def test_gguf_metadata_give_the_same():
    given = {**GGUF, "llama.rope.freq_base": 1e5, "llama.attention.layer_norm_rms_epsilon": float(np.float32(1e-5))}
    found = llama_config.from_gguf(given, {"output.weight": (40, 24)})
    assert (found.rope_theta, found.norm_eps, found.tied_embeddings, found.head_dim) == (1e5, 1e-5, False, 6)
    assert llama_config.from_gguf(GGUF, {}).tied_embeddings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"general.architecture": "gemma"}, "general.architecture 'gemma': only 'llama'"),
        ({"llama.expert_count": 8}, "llama.expert_count=8 is not supported"),
        ({"llama.attention.sliding_window": 99}, "llama.attention.sliding_window=99 is not supported"),
        ({"llama.rope.scaling.type": "yarn"}, "llama.rope.scaling.type='yarn' is not supported"),
        ({"llama.rope.dimension_count": 4}, "llama.rope.dimension_count=4 is not supported: expected .* 6"),
        ({"llama.attention.head_count": [4, 2]}, r"attention.head_count=\[4, 2\]: expected a whole number"),
    ],
)
def test_what_we_have_not_is_refused_by_name_in_gguf(changes, message):
    with pytest.raises(UserError, match=message):
        llama_config.from_gguf({**GGUF, **changes}, {})


def llama3_factors(theta, half, scaling):
    """What llama.cpp's converter writes as rope_freqs.weight, frequency by frequency."""
    factors = []
    for i in range(half):
        wavelen = 2 * np.pi * theta ** (i / half)
        low, high = (scaling.original_max_len / f for f in (scaling.low_freq_factor, scaling.high_freq_factor))
        if wavelen < high:
            factors.append(1.0)
        elif wavelen > low:
            factors.append(scaling.factor)
        else:
            smooth = scaling.original_max_len / wavelen - scaling.low_freq_factor
            smooth /= scaling.high_freq_factor - scaling.low_freq_factor
            factors.append(1 / ((1 - smooth) / scaling.factor + smooth))
    return np.array(factors, np.float32)


def test_scaled_positions_turn_as_llama3s_do():
    factors = llama3_factors(5e5, 32, LLAMA3)
    assert 1.0 in factors and 8.0 in factors and any(1 < factor < 8 for factor in factors)
    config = api.preset("1b", 40, rope_scaling=LLAMA3)
    found = rotary(config, jnp.array([5.0]))
    angles = 5.0 * 5e5 ** -(np.arange(32) / 32) / factors
    np.testing.assert_allclose(found.sin[0], np.sin(angles), atol=1e-5)
    np.testing.assert_allclose(found.cos[0], np.cos(angles), atol=1e-5)


def test_ggufs_factors_are_known_as_llama3s_or_refused():
    given = {**GGUF, "llama.attention.key_length": 64, "llama.rope.freq_base": 5e5}
    factors = llama3_factors(5e5, 32, LLAMA3)
    assert llama_config.from_gguf(given, {}, factors).rope_scaling == LLAMA3
    with pytest.raises(UserError, match="rope_freqs.weight holds other factors"):
        llama_config.from_gguf(given, {}, np.roll(factors, 3))
