"""Sampling with llama.cpp: each prompt read once and copied to its samples' sequences, which are decoded as a batch.

A sequence that ends takes the next sample of the queue, of any problem.
"""

from __future__ import annotations

import collections

import llama_cpp

from benchmarks import cost
from benchmarks.contender import Made
from benchmarks.peers import llama_cpp_context
from benchmarks.workload import Task

SAMPLER_SEED = 1


def make(task: Task, dtype: str = "f32") -> Made:
    """Return the sampler, with as many sequences as a problem has samples; `dtype` is the weights', f32 or q8_0."""
    decoder = _Decoder(task, dtype)
    least = cost.sampling(task) if dtype == "f32" else None
    versions, threads = llama_cpp_context.versions(), llama_cpp_context.THREADS
    return Made(decoder.run, task.num_tokens, "tokens", versions, threads, least, decoder.logits)


class _Decoder:
    """Hold a context: sequences 0 to K - 1 are slots, those after them the problems' prompts."""

    def __init__(self, task: Task, dtype: str) -> None:
        self._task, self._num_slots = task, task.num_samples
        self._prompts = [task.prompt(problem) for problem in range(task.num_problems)]
        sequences = self._num_slots + task.num_problems
        longest = max(llama_cpp_context.BATCH_SIZE, sequences, task.prompt_len)
        self._context = llama_cpp_context.Context(
            task.gguf(dtype), sequences, task.prompt_len + task.new_tokens, longest
        )
        self._sampler = llama_cpp.llama_sampler_init_dist(SAMPLER_SEED)

    def run(self) -> dict[str, int]:
        """Write every sample."""
        self._read_prompts()
        waiting = collections.deque(
            (problem, int(length))
            for problem in range(self._task.num_problems)
            for length in self._task.lengths(problem)
        )
        live: dict[int, list[int]] = {}
        for slot in range(self._num_slots):
            self._start(slot, waiting, live)
        steps = made = 0
        while live:
            slots = list(live)
            tokens, positions = [live[slot][0] for slot in slots], [live[slot][1] for slot in slots]
            self._context.decode(tokens, positions, slots, [1] * len(slots))
            steps, made = steps + 1, made + len(slots)
            for i, slot in enumerate(slots):
                token = llama_cpp.llama_sampler_sample(self._sampler, self._context.pointer, i)
                position, left = live[slot][1] + 1, live[slot][2] - 1
                live[slot] = [token, position, left]
                if not left:
                    del live[slot]
                    self._start(slot, waiting, live)
        if made != self._task.num_tokens:
            raise AssertionError(f"{made} tokens were written")
        return {"batches": steps}

    def logits(self) -> list[float]:
        """Return the logits after the first problem's prompt."""
        prompt = self._prompts[0]
        self._context.clear()
        last = len(prompt) - 1
        self._context.decode(prompt, range(len(prompt)), [0] * len(prompt), [0] * last + [1])
        return self._context.logits(last, self._task.shape.vocab_size).tolist()

    def _read_prompts(self) -> None:
        """Read all prompts but their last tokens, which are the samples' first inputs."""
        self._context.clear()
        for problem, prompt in enumerate(self._prompts):
            last, sequence = len(prompt) - 1, self._num_slots + problem
            self._context.decode(prompt[:-1], range(last), [sequence] * last, [0] * last)

    def _start(self, slot: int, waiting: collections.deque[tuple[int, int]], live: dict[int, list[int]]) -> None:
        if not waiting:
            return
        problem, length = waiting.popleft()
        self._context.copy(self._num_slots + problem, slot)
        live[slot] = [self._prompts[problem][-1], len(self._prompts[problem]) - 1, length]
