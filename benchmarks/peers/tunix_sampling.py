"""Sampling with tunix's Sampler: it is given the prompt K times, and all rows run until the longest ends."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from safetensors.numpy import load_file
from tunix.generate.sampler import CacheConfig, Sampler
from tunix.models.llama3.model import Llama3, ModelConfig

from benchmarks import cost
from benchmarks.contender import Made
from benchmarks.workload import Task


class Tokens:
    """Be a tokenizer that reads any text as the prompt at hand and knows no token that ends a sample."""

    def __init__(self, vocab_size: int) -> None:
        self.ids: list[int] = []
        self._eos_id = vocab_size + 7

    def encode(self, text: str, **options: object) -> list[int]:
        """Return the prompt."""
        return list(self.ids)

    def decode(self, ids: object, **options: object) -> str:
        """Return no text."""
        return ""

    def bos_id(self) -> None:
        """Return no token."""

    def eos_id(self) -> int:
        """Return an id that no token has."""
        return self._eos_id

    def pad_id(self) -> int:
        """Return the padding's id."""
        return 0


def make(task: Task) -> Made:
    """Return the sampler; where lengths differ, it writes all samples in full and only the scheduled tokens count."""
    c, model = task.shape, _load(task)
    tokens = Tokens(c.vocab_size)
    cache = CacheConfig(task.prompt_len + task.new_tokens, c.num_layers, c.num_kv_heads, c.head_dim)
    sampler, seed = Sampler(model, tokens, cache), 0

    def run() -> None:
        nonlocal seed
        for problem in range(task.num_problems):
            seed += 1
            tokens.ids = task.prompt(problem)
            found = sampler(
                ["x"] * task.num_samples, max_generation_steps=task.new_tokens, max_prompt_length=task.prompt_len,
                temperature=1.0, top_p=1.0, seed=seed,
            )  # fmt: skip
            if sum(len(row) for row in found.tokens) != task.num_samples * task.new_tokens:
                raise AssertionError("samples ended early")

    def logits() -> list[float]:
        ids = jnp.array([task.prompt(0)])
        mask = jnp.tril(jnp.ones((1, task.prompt_len, task.prompt_len), bool))
        return np.asarray(model(ids, jnp.arange(task.prompt_len)[None], None, mask)[0][0, -1]).tolist()

    versions = {"tunix": importlib.metadata.version("google-tunix"), "jax": jax.__version__}
    return Made(run, task.num_tokens, "tokens", versions, 1, cost.sampling(task), logits)


def _load(task: Task) -> Any:
    c = task.shape
    config = ModelConfig(
        num_layers=c.num_layers, vocab_size=c.vocab_size, embed_dim=c.d_model, hidden_dim=c.d_ff,
        num_heads=c.num_heads, head_dim=c.head_dim, num_kv_heads=c.num_kv_heads, rope_theta=int(c.rope_theta),
        norm_eps=c.norm_eps, weight_tying=True,
    )  # fmt: skip
    model: Any = Llama3(config, rngs=nnx.Rngs(0))
    tensors = load_file(f"{task.hf}/model.safetensors")
    model.embedder.input_embedding.value = jnp.asarray(tensors["model.embed_tokens.weight"])
    model.final_norm.w.value = jnp.asarray(tensors["model.norm.weight"])
    for i, layer in enumerate(model.layers):
        places = {
            "input_layernorm": layer.input_layernorm.w, "self_attn.q_proj": layer.attn.q_proj.w,
            "self_attn.k_proj": layer.attn.k_proj.w, "self_attn.v_proj": layer.attn.v_proj.w,
            "self_attn.o_proj": layer.attn.o_proj.w, "post_attention_layernorm": layer.post_attention_layernorm.w,
            "mlp.gate_proj": layer.mlp.gate_proj.kernel, "mlp.up_proj": layer.mlp.up_proj.kernel,
            "mlp.down_proj": layer.mlp.down_proj.kernel,
        }  # fmt: skip
        for name, place in places.items():
            kernel = jnp.asarray(tensors[f"model.layers.{i}.{name}.weight"]).T
            place.value = kernel.reshape(place.value.shape)
    return model
