"""A training step of transformers' Llama in torch: AdamW, the next-token loss, gradients clipped to a norm of 1."""

from __future__ import annotations

import torch
import torch.nn.functional as functional

from benchmarks import cost
from benchmarks.contender import Made
from benchmarks.peers import llama_weights, torch_device
from benchmarks.workload import Task


def make(task: Task, compiled: bool = False, dtype: str = "") -> Made:
    """Return the step; in `dtype`, the task's unless given, bfloat16 is the forward pass under autocast."""
    dtype, device = dtype or task.dtype, torch_device.of(task)
    model = llama_weights.load(task, use_cache=False).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    ids = torch.randint(0, task.shape.vocab_size, (task.batch_size, task.seq_len + 1), device=device)

    def loss_of(inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device, torch.bfloat16, enabled=dtype == "bfloat16"):
            logits = model(input_ids=inputs).logits
        return functional.cross_entropy(logits.float().view(-1, task.shape.vocab_size), targets.reshape(-1))

    forward = torch.compile(loss_of) if compiled else loss_of

    def run() -> dict[str, float]:
        loss = forward(ids[:, :-1], ids[:, 1:])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        return {"loss": loss.item()}

    least = cost.training(task) if dtype == task.dtype else None
    amount = task.batch_size * task.seq_len
    return Made(run, amount, "tokens", llama_weights.versions(), llama_weights.THREADS, least)
