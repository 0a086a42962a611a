"""Hugging Face transformers' Llama with the weights of a task."""

from __future__ import annotations

import numpy as np
import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.peers import torch_device
from benchmarks.workload import Task

THREADS = 1
EOS_ID = 2


def load(task: Task, **changes: object) -> LlamaForCausalLM:
    """Return the model on the task's device, in float32; `changes` are fields of its config."""
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    c = task.shape
    config = LlamaConfig(
        hidden_size=c.d_model, num_hidden_layers=c.num_layers, num_attention_heads=c.num_heads,
        num_key_value_heads=c.num_kv_heads, head_dim=c.head_dim, intermediate_size=c.d_ff, vocab_size=c.vocab_size,
        tie_word_embeddings=True, max_position_embeddings=4096, rms_norm_eps=c.norm_eps,
        rope_parameters={"rope_type": "default", "rope_theta": c.rope_theta},
        bos_token_id=1, eos_token_id=EOS_ID, pad_token_id=0, **changes,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    missing, unexpected = model.load_state_dict(_state(task), strict=False)
    if unexpected or [name for name in missing if name != "lm_head.weight"]:
        raise AssertionError(f"weights do not fit: {missing} missing, {unexpected} unexpected")
    model.tie_weights()
    return model.to(torch_device.of(task))


def versions() -> dict[str, str]:
    """Return the versions of what the work is done with."""
    return {"transformers": transformers.__version__, "torch": torch.__version__}


def _state(task: Task) -> dict[str, torch.Tensor]:
    with np.load(task.weights) as tensors:
        return {name: torch.from_numpy(array) for name, array in tensors.items()}
