"""Scoring with llama.cpp: the prompt read once and copied to the solutions' sequences, some of them read at a time."""

from __future__ import annotations

import numpy as np

from benchmarks import cost
from benchmarks.contender import Made
from benchmarks.peers import llama_cpp_context
from benchmarks.workload import Task

# Which two tokens are compared changes nothing in the time.
CORRECT_ID, INCORRECT_ID = 5, 6


def make(task: Task, dtype: str = "f32") -> Made:
    """Return the scorer: the logits after every step, no others; `dtype` is the weights', f32 or q8_0."""
    prompt, solutions = task.prompt(0), task.solutions()
    num_solutions, length = solutions.shape
    at_a_time = max(1, llama_cpp_context.BATCH_SIZE // length)
    longest = max(at_a_time * length, len(prompt))
    context = llama_cpp_context.Context(task.gguf(dtype), num_solutions + 1, len(prompt) + length, longest)
    is_end = (np.arange(1, length + 1) % task.step_tokens == 0).astype(int)

    def run() -> dict[str, int]:
        context.clear()
        context.decode(prompt, range(len(prompt)), [num_solutions] * len(prompt), [0] * len(prompt))
        found = []
        for start in range(0, num_solutions, at_a_time):
            batch = solutions[start : start + at_a_time]
            numbers = range(start, start + len(batch))
            for number in numbers:
                context.copy(num_solutions, number)
            positions = np.tile(np.arange(length) + len(prompt), len(batch))
            wanted = np.tile(is_end, len(batch))
            context.decode(batch.reshape(-1), positions, np.repeat(numbers, length), wanted)
            for index in np.flatnonzero(wanted):
                logits = context.logits(int(index), task.shape.vocab_size)
                found.append(1 / (1 + np.exp(logits[INCORRECT_ID] - logits[CORRECT_ID])))
        return {"steps": len(found)}

    lengths = [length] * num_solutions
    least = cost.scoring(task.shape, len(prompt), lengths) if dtype == "f32" else None
    versions, threads = llama_cpp_context.versions(), llama_cpp_context.THREADS
    return Made(run, len(prompt) + sum(lengths), "tokens", versions, threads, least)
