"""The same weights for everyone: our parameters, drawn once, in a file of plainly named arrays.

`embedding` [v, d] (tied), `final_norm` [d], and for each layer i `layers.{i}.` + `attention_norm`, `mlp_norm` [d],
`q` [d, h * e], `k`, `v` [d, kv * e], `o` [h * e, d], `gate`, `up` [d, f], `down` [f, d]. Head j reads key-value head
j // (h / kv), and rotary positions turn the two halves of a head, as in Hugging Face's Llama.
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.workload import SIZES, Size
from procsup_jax.data.worlds import splits
from procsup_jax.models import api
from procsup_jax.text.prompts import worked_example
from procsup_jax.text.vocab import train_vocab

VOCAB_SIZE, NUM_TEXTS = 512, 64


def export(size: str, folder: pathlib.Path) -> None:
    """Write weights.npz and vocab.model of a size into a folder."""
    config = model_config(SIZES[size])
    arrays: dict[str, Any] = to_plain(config, api.init_params(config, jax.random.key(0)))
    np.savez(folder / "weights.npz", **arrays)
    texts = [worked_example(problem) for problem in splits.problems("test", NUM_TEXTS)]
    train_vocab(texts, VOCAB_SIZE, str(folder / "vocab.model"), seed=0)


def load(path: str, config: api.ModelConfig) -> api.Params:
    """Return the parameters that `export` wrote."""
    with np.load(path) as arrays:
        return jax.tree.map(jnp.asarray, from_plain(config, arrays))


def model_config(size: Size, **changes: Any) -> api.ModelConfig:
    """Return our config of a size, with changes to single fields."""
    return api.ModelConfig(
        vocab_size=size.vocab_size, num_layers=size.num_layers, d_model=size.d_model, num_heads=size.num_heads,
        num_kv_heads=size.num_kv_heads, head_dim=size.head_dim, d_ff=size.d_ff, max_len=4096,
        rope_theta=size.rope_theta, norm_eps=size.norm_eps, **changes,
    )  # fmt: skip


def to_plain(config: api.ModelConfig, params: api.Params) -> dict[str, np.ndarray]:
    """Return our parameters under plain names."""
    layers, g = jax.tree.map(np.asarray, params["layers"]), config.queries_per_kv
    plain = {"embedding": np.asarray(params["embedding"]), "final_norm": np.asarray(params["final_norm"]["scale"])}
    for i in range(config.num_layers):
        qkv = layers["attention"]["qkv"][i]
        arrays = {
            "attention_norm": layers["attention_norm"]["scale"][i],
            "q": qkv[:, :, :g].reshape(config.d_model, -1),
            "k": qkv[:, :, g].reshape(config.d_model, -1),
            "v": qkv[:, :, g + 1].reshape(config.d_model, -1),
            "o": layers["attention"]["out"][i],
            "mlp_norm": layers["mlp_norm"]["scale"][i],
            **{name: layers["mlp"][name][i] for name in ("gate", "up", "down")},
        }
        plain |= {f"layers.{i}.{name}": array for name, array in arrays.items()}
    return plain


def from_plain(config: api.ModelConfig, plain: Mapping[str, np.ndarray]) -> api.Params:
    """Return plainly named arrays as our parameters."""
    heads = (config.d_model, config.num_kv_heads, -1, config.head_dim)

    def stacked(name: str) -> np.ndarray:
        return np.stack([plain[f"layers.{i}.{name}"] for i in range(config.num_layers)])

    qkv = [
        np.concatenate([plain[f"layers.{i}.{name}"].reshape(heads) for name in "qkv"], axis=2)
        for i in range(config.num_layers)
    ]
    return {
        "embedding": plain["embedding"],
        "final_norm": {"scale": plain["final_norm"]},
        "layers": {
            "attention_norm": {"scale": stacked("attention_norm")},
            "attention": {"qkv": np.stack(qkv), "out": stacked("o")},
            "mlp_norm": {"scale": stacked("mlp_norm")},
            "mlp": {name: stacked(name) for name in ("gate", "up", "down")},
        },
    }
