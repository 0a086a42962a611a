"""Scoring with transformers' Llama: rows of the prompt and a solution, some at a time, read whole."""

from __future__ import annotations

import torch

from benchmarks import cost
from benchmarks.contender import Made
from benchmarks.peers import llama_weights, torch_device
from benchmarks.workload import Task

BATCH_SIZE = 16
# Which two tokens are compared changes nothing in the time.
CORRECT_ID, INCORRECT_ID = 5, 6


def make(task: Task, compiled: bool = False) -> Made:
    """Return the scorer: two tokens' logits after every step, no others; `compiled` is torch.compile."""
    device = torch_device.of(task)
    model = llama_weights.load(task, use_cache=False).eval().to(getattr(torch, task.dtype))
    trunk = torch.compile(model.model) if compiled else model.model
    verdicts = model.lm_head.weight[[CORRECT_ID, INCORRECT_ID]]
    solutions = torch.from_numpy(task.solutions()).long()
    prompt = torch.tensor([task.prompt(0)]).expand(len(solutions), -1)
    rows = torch.cat([prompt, solutions], 1).to(device)
    ends = torch.arange(task.prompt_len + task.step_tokens - 1, rows.shape[1], task.step_tokens, device=device)

    @torch.inference_mode()
    def run() -> dict[str, int]:
        found = []
        for batch in rows.split(BATCH_SIZE):
            states = trunk(input_ids=batch).last_hidden_state[:, ends]
            logits = states @ verdicts.T
            found.append(torch.sigmoid(logits[..., 0] - logits[..., 1]).cpu())
        return {"steps": sum(each.numel() for each in found)}

    lengths = [task.new_tokens] * task.num_samples
    least = cost.scoring(task.shape, task.prompt_len, lengths)
    amount = task.prompt_len + sum(lengths)
    return Made(run, amount, "tokens", llama_weights.versions(), llama_weights.THREADS, least)
