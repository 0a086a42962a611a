"""Hugging Face transformers' Llama with the weights of a task."""

from __future__ import annotations

import torch
import transformers
from transformers import LlamaForCausalLM

from benchmarks.peers import torch_device
from benchmarks.workload import Task

THREADS = 1
EOS_ID = 2


def load(task: Task, **changes: object) -> LlamaForCausalLM:
    """Return the model on the task's device, in float32; `changes` are fields of its config."""
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    model = LlamaForCausalLM.from_pretrained(task.hf, dtype=torch.float32, **changes)
    return model.to(torch_device.of(task))


def versions() -> dict[str, str]:
    """Return the versions of what the work is done with."""
    return {"transformers": transformers.__version__, "torch": torch.__version__}
