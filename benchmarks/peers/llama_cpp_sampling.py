"""Sampling with llama.cpp: each prompt read once and copied to its samples' sequences, which are decoded as a batch.

The low-level API of llama-cpp-python. A sequence that ends takes the next sample of the queue, of any problem.
"""

from __future__ import annotations

import collections
import pathlib
from typing import Any

import llama_cpp
import numpy as np

from benchmarks import cost
from benchmarks.contender import Made
from benchmarks.peers import gguf
from benchmarks.workload import Task

THREADS = 1
SAMPLER_SEED = 1


def make(task: Task) -> Made:
    """Return the sampler, with as many sequences as a problem has samples, each with a cache of its own."""
    path = pathlib.Path(task.folder) / "weights.gguf"
    gguf.write(task, path)
    decoder = _Decoder(task, path)
    versions = {"llama_cpp_python": llama_cpp.__version__}
    return Made(decoder.run, task.num_tokens, "tokens", versions, THREADS, cost.sampling(task), decoder.logits)


class _Decoder:
    """Hold a context: sequences 0 to K - 1 are slots, those after them the problems' prompts."""

    def __init__(self, task: Task, path: pathlib.Path) -> None:
        self._task, self._num_slots = task, task.num_samples
        self._prompts = [task.prompt(problem) for problem in range(task.num_problems)]
        llama_cpp.llama_backend_init()
        model = llama_cpp.llama_model_load_from_file(str(path).encode(), llama_cpp.llama_model_default_params())
        sequences = self._num_slots + task.num_problems
        self._batch_size = max(512, sequences, task.prompt_len)
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = sequences * (task.prompt_len + task.new_tokens + 8)
        params.n_batch = params.n_ubatch = self._batch_size
        params.n_seq_max = sequences
        params.n_threads = params.n_threads_batch = THREADS
        # One pool of cells would make each sequence's attention walk those of all.
        params.kv_unified = False
        params.type_k = params.type_v = 0
        params.flash_attn_type = 0
        self._context: Any = llama_cpp.llama_init_from_model(model, params)
        if not model or not self._context:
            raise AssertionError("llama.cpp could not load the model")
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._batch = llama_cpp.llama_batch_init(self._batch_size, 0, 1)
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
            self._decode(tokens, positions, slots, [1] * len(slots))
            steps, made = steps + 1, made + len(slots)
            for i, slot in enumerate(slots):
                token = llama_cpp.llama_sampler_sample(self._sampler, self._context, i)
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
        llama_cpp.llama_memory_clear(self._memory, True)
        last = len(prompt) - 1
        self._decode(prompt, range(len(prompt)), [0] * len(prompt), [0] * last + [1])
        found = llama_cpp.llama_get_logits_ith(self._context, last)
        return np.ctypeslib.as_array(found, (self._task.shape.vocab_size,)).tolist()

    def _read_prompts(self) -> None:
        """Read all prompts but their last tokens, which are the samples' first inputs."""
        llama_cpp.llama_memory_clear(self._memory, True)
        for problem, prompt in enumerate(self._prompts):
            last, sequence = len(prompt) - 1, self._num_slots + problem
            self._decode(prompt[:-1], range(last), [sequence] * last, [0] * last)

    def _start(self, slot: int, waiting: collections.deque[tuple[int, int]], live: dict[int, list[int]]) -> None:
        if not waiting:
            return
        problem, length = waiting.popleft()
        llama_cpp.llama_memory_seq_rm(self._memory, slot, -1, -1)
        llama_cpp.llama_memory_seq_cp(self._memory, self._num_slots + problem, slot, -1, -1)
        live[slot] = [self._prompts[problem][-1], len(self._prompts[problem]) - 1, length]

    def _decode(self, tokens: Any, positions: Any, sequences: Any, wanted: Any) -> None:
        n = len(tokens)
        self._batch.n_tokens = n
        np.ctypeslib.as_array(self._batch.token, (n,))[:] = tokens
        np.ctypeslib.as_array(self._batch.pos, (n,))[:] = positions
        np.ctypeslib.as_array(self._batch.n_seq_id, (n,))[:] = 1
        np.ctypeslib.as_array(self._batch.logits, (n,))[:] = wanted
        for i in range(n):
            self._batch.seq_id[i][0] = sequences[i]
        if status := llama_cpp.llama_decode(self._context, self._batch):
            raise AssertionError(f"llama_decode returned {status}")
