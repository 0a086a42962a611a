"""A Llama's config under others' names: Hugging Face's config.json both ways, GGUF's metadata in."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from procsup_jax import fields
from procsup_jax.errors import UserError
from procsup_jax.models.config import ModelConfig, RopeScaling
from procsup_jax.models.pretrained.table import Shape

# What a Llama may have and ours has not: the value that turns it off.
_HF_OFF: Mapping[str, Any] = {
    "attention_bias": False, "mlp_bias": False, "hidden_act": "silu", "sliding_window": None,
    "quantization_config": None, "partial_rotary_factor": 1.0, "num_local_experts": 0,
}  # fmt: skip
_HF_SCALING = {
    "factor": "factor", "low_freq_factor": "low_freq_factor", "high_freq_factor": "high_freq_factor",
    "original_max_position_embeddings": "original_max_len",
}  # fmt: skip
_HF_SIZES = {
    "vocab_size": "vocab_size", "num_hidden_layers": "num_layers", "hidden_size": "d_model",
    "num_attention_heads": "num_heads", "intermediate_size": "d_ff",
}  # fmt: skip
_GGUF_SIZES = {
    "block_count": "num_layers", "embedding_length": "d_model", "attention.head_count": "num_heads",
    "feed_forward_length": "d_ff",
}  # fmt: skip
_GGUF_OTHERS = (
    "vocab_size", "context_length", "attention.head_count_kv", "attention.key_length", "attention.value_length",
    "attention.layer_norm_rms_epsilon", "rope.dimension_count", "rope.freq_base", "rope.scaling.type",
    "tensor_data_layout",
)  # fmt: skip
# GGUF keeps Llama 3's scaling as one factor for each frequency; these are those of every Llama 3.1 to 3.3.
_LLAMA3: Mapping[str, Any] = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_len": 8192}


def from_hf(values: Mapping[str, Any]) -> ModelConfig:
    """Return the config that a config.json describes; raises UserError naming what we don't have."""
    if values.get("model_type") != "llama":
        raise UserError(f"model_type {values.get('model_type')!r}: only the Llama family (model_type 'llama') is read")
    for name, off in _HF_OFF.items():
        if values.get(name) not in (off, None):
            raise UserError(f"{name}={values[name]!r} is not supported: only Llamas with {name}={off!r} are read")
    sizes: dict[str, Any] = {ours: _size(values, name) for name, ours in _HF_SIZES.items()}
    rope = {"rope_theta": values.get("rope_theta"), **(values.get("rope_scaling") or {})}
    rope |= values.get("rope_parameters") or {}
    found = dict(
        **sizes,
        num_kv_heads=values.get("num_key_value_heads") or sizes["num_heads"],
        head_dim=values.get("head_dim") or sizes["d_model"] // sizes["num_heads"],
        max_len=values.get("max_position_embeddings", 2048),
        tied_embeddings=values.get("tie_word_embeddings", False),
        rope_theta=float(rope["rope_theta"] or 10000.0),
        norm_eps=values.get("rms_norm_eps", 1e-6),
        rope_scaling=_hf_scaling(rope),
    )
    return fields.build(ModelConfig, found, "config")


def to_hf(config: ModelConfig, dtype: str) -> dict[str, Any]:
    """Return the config.json of a config; raises UserError where no Llama computes the same."""
    if config.shift_width:
        raise UserError(
            f"model shift_width={config.shift_width}: a Llama has no token shift, so this model can't be written as "
            "one; train with shift_width=0"
        )
    scaling = None
    if config.rope_scaling is not None:
        ours = dataclasses.asdict(config.rope_scaling)
        scaling = {"rope_type": "llama3", **{name: ours[field] for name, field in _HF_SCALING.items()}}
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        **{name: getattr(config, ours) for name, ours in _HF_SIZES.items()},
        "num_key_value_heads": config.num_kv_heads,
        "head_dim": config.head_dim,
        "max_position_embeddings": config.max_len,
        "tie_word_embeddings": config.tied_embeddings,
        "rope_theta": config.rope_theta,
        "rope_scaling": scaling,
        "rms_norm_eps": config.norm_eps,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "torch_dtype": dtype,
    }


def from_gguf(
    metadata: Mapping[str, Any], shapes: Mapping[str, Shape], rope_factors: np.ndarray | None = None
) -> ModelConfig:
    """Return the config that GGUF metadata describe; `rope_factors` is the tensor rope_freqs.weight.

    Raises UserError naming what we don't have.
    """
    if metadata.get("general.architecture") != "llama":
        raise UserError(f"general.architecture {metadata.get('general.architecture')!r}: only 'llama' is read")
    values = {name.removeprefix("llama."): value for name, value in metadata.items() if name.startswith("llama.")}
    for name, value in values.items():
        if name not in _GGUF_SIZES and name not in _GGUF_OTHERS and value not in (0, False, None):
            raise UserError(f"llama.{name}={value!r} is not supported: only plain Llamas are read")
    if values.get("rope.scaling.type", "none") != "none":
        raise UserError(f"llama.rope.scaling.type={values['rope.scaling.type']!r} is not supported: expected 'none'")
    sizes: dict[str, Any] = {ours: _size(values, name) for name, ours in _GGUF_SIZES.items()}
    head_dim = values.get("attention.key_length") or sizes["d_model"] // sizes["num_heads"]
    for name in ("attention.value_length", "rope.dimension_count"):
        if values.get(name, head_dim) != head_dim:
            raise UserError(f"llama.{name}={values[name]} is not supported: expected the heads' size, {head_dim}")
    theta = _rounded(values.get("rope.freq_base", 10000.0))
    found = dict(
        **sizes,
        vocab_size=values.get("vocab_size") or shapes.get("token_embd.weight", (0,))[0],
        num_kv_heads=values.get("attention.head_count_kv") or sizes["num_heads"],
        head_dim=head_dim,
        max_len=values.get("context_length", 2048),
        tied_embeddings="output.weight" not in shapes,
        rope_theta=theta,
        norm_eps=_rounded(values.get("attention.layer_norm_rms_epsilon", 1e-5)),
        rope_scaling=None if rope_factors is None else _scaling_of_factors(rope_factors, theta),
    )
    return fields.build(ModelConfig, found, "llama")


def _size(values: Mapping[str, Any], name: str) -> int:
    value = values.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UserError(f"{name}={value!r}: expected a whole number from 1 on, and it must be there")
    return value


def _hf_scaling(rope: Mapping[str, Any]) -> RopeScaling | None:
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if kind == "default":
        return None
    missing = [name for name in _HF_SCALING if name not in rope]
    if kind != "llama3" or missing:
        raise UserError(
            f"rope scaling of type {kind!r}{' without ' + missing[0] if kind == 'llama3' else ''} is not supported: "
            "expected 'default', or 'llama3' with all of its numbers"
        )
    return RopeScaling(**{field: rope[name] for name, field in _HF_SCALING.items()})


def _scaling_of_factors(factors: np.ndarray, theta: float) -> RopeScaling:
    scaling = RopeScaling(factor=_rounded(float(factors.max())), **_LLAMA3)
    freqs = theta ** -(np.arange(len(factors)) / len(factors))
    turns = scaling.original_max_len * freqs / (2 * np.pi)
    kept = (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor)
    kept = np.clip(kept, 0.0, 1.0)
    if not np.allclose(factors * (kept + (1.0 - kept) / scaling.factor), 1.0, rtol=1e-4):
        raise UserError(
            "tensor rope_freqs.weight holds other factors than Llama 3's (low 1, high 4, 8192 positions): not supported"
        )
    return scaling


def _rounded(value: float) -> float:
    """Return the number with six digits: GGUF keeps 1e-05 in float32, as 9.999999747378752e-06."""
    return float(f"{value:.6g}")
