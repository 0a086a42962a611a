"""The same weights for everyone: a Llama's tensors under Hugging Face's names, in one npz file; no jax."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.workload import Size, Task
from procsup_jax.models.config import ModelConfig
from procsup_jax.models.pretrained import llama
from procsup_jax.models.pretrained.table import Shape, read_params, write_params


class Tensors:
    """Hold the tensors of a file by name."""

    def __init__(self, path: str) -> None:
        with np.load(path) as arrays:
            self.arrays: dict[str, np.ndarray] = dict(arrays)

    @property
    def shapes(self) -> dict[str, Shape]:
        """Return the shape of every tensor."""
        return {name: array.shape for name, array in self.arrays.items()}

    def read(self, name: str) -> np.ndarray:
        """Return one tensor."""
        return self.arrays[name]


def save(path: str, config: ModelConfig, params: Any) -> None:
    """Write our parameters, as numpy arrays."""
    np.savez(path, **dict[str, Any](write_params(llama.TABLE, "hf", config, params)))


def load(path: str, config: ModelConfig) -> dict[str, Any]:
    """Return our parameters, as numpy arrays."""
    return read_params(llama.TABLE, "hf", config, Tensors(path), np.float32)


def as_gguf(task: Task) -> Iterator[tuple[str, np.ndarray]]:
    """Yield a task's tensors under GGUF's names and in its order."""
    config = model_config(task.shape)
    return write_params(llama.TABLE, "gguf", config, load(task.weights, config))


def model_config(size: Size, **changes: Any) -> ModelConfig:
    """Return our config of a size, with changes to single fields."""
    return ModelConfig(
        vocab_size=size.vocab_size, num_layers=size.num_layers, d_model=size.d_model, num_heads=size.num_heads,
        num_kv_heads=size.num_kv_heads, head_dim=size.head_dim, d_ff=size.d_ff, max_len=4096,
        rope_theta=size.rope_theta, norm_eps=size.norm_eps, **changes,
    )  # fmt: skip
