"""Sampling with Hugging Face transformers' `generate`: a problem's samples in step until the longest ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from transformers import LogitsProcessor, LogitsProcessorList

from benchmarks import cost
from benchmarks.contender import Made
from benchmarks.peers import llama_weights, torch_device
from benchmarks.peers.llama_weights import EOS_ID
from benchmarks.workload import Task


class Schedule(LogitsProcessor):
    """Forbid eos up to a sample's length, then demand it."""

    def __init__(self, prompt_len: int, lens: np.ndarray, device: str) -> None:
        self._prompt_len, self._lens = prompt_len, torch.from_numpy(lens).to(device)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Change the scores of the next token."""
        due = (input_ids.shape[1] - self._prompt_len + 1) >= self._lens
        scores[:, EOS_ID] = -float("inf")
        scores[due] = -float("inf")
        scores[due, EOS_ID] = 0.0
        return scores


def make(task: Task, static: bool = False) -> Made:
    """Return the sampler; `static` is its static cache with the forward pass compiled, on a GPU by transformers."""
    device = torch_device.of(task)
    model = llama_weights.load(task).eval().to(getattr(torch, task.dtype))
    prompts = [torch.tensor([task.prompt(problem)], device=device) for problem in range(task.num_problems)]
    schedules = [Schedule(task.prompt_len, task.lengths(problem), device) for problem in range(task.num_problems)]
    choices: dict[str, Any] = {
        "do_sample": True,
        "temperature": 1.0,
        "top_k": 0,
        "top_p": 1.0,
        "max_new_tokens": task.new_tokens,
        "num_return_sequences": task.num_samples,
        "eos_token_id": EOS_ID,
        "pad_token_id": 0,
    }
    eager = model.forward
    if static:
        choices["cache_implementation"] = "static"
    if static and task.device == "cpu":
        model.forward = torch.compile(model.forward)
        choices["disable_compile"] = True

    @torch.inference_mode()
    def run() -> None:
        for prompt, schedule in zip(prompts, schedules, strict=True):
            mask, processors = torch.ones_like(prompt), LogitsProcessorList([schedule])
            found = model.generate(prompt, attention_mask=mask, logits_processor=processors, **choices)
            if found.shape != (task.num_samples, task.prompt_len + task.new_tokens):
                raise AssertionError(f"generate returned {tuple(found.shape)}")
        torch_device.wait(task)

    @torch.inference_mode()
    def logits() -> list[float]:
        return eager(prompts[0]).logits[0, -1].tolist()

    least = cost.sampling(task)
    return Made(run, task.num_tokens, "tokens", llama_weights.versions(), llama_weights.THREADS, least, logits)
