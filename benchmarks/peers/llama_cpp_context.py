"""A context of llama.cpp by llama-cpp-python's low-level API: sequences that are decoded together in one thread."""

from __future__ import annotations

from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import ArrayLike

THREADS = 1
BATCH_SIZE = 512


class Context:
    """Hold a model of a GGUF file and `num_sequences`, each with a float32 cache of its own of up to `length` tokens.

    `longest_batch` is the most tokens that are decoded at a time.
    """

    def __init__(self, path: str, num_sequences: int, length: int, longest_batch: int = BATCH_SIZE) -> None:
        llama_cpp.llama_backend_init()
        model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = num_sequences * (length + 8)
        params.n_batch = params.n_ubatch = longest_batch
        params.n_seq_max = num_sequences
        params.n_threads = params.n_threads_batch = THREADS
        # One pool of cells would make each sequence's attention walk those of all.
        params.kv_unified = False
        params.type_k = params.type_v = 0
        params.flash_attn_type = 0
        self.pointer: Any = llama_cpp.llama_init_from_model(model, params)
        if not model or not self.pointer:
            raise AssertionError("llama.cpp could not load the model")
        self._memory = llama_cpp.llama_get_memory(self.pointer)
        self._batch = llama_cpp.llama_batch_init(longest_batch, 0, 1)

    def decode(self, tokens: ArrayLike, positions: ArrayLike, sequences: ArrayLike, wanted: ArrayLike) -> None:
        """Read tokens, each at its position of its sequence, and compute the logits of those `wanted` (1)."""
        sequence_t = np.asarray(sequences)
        n = len(sequence_t)
        self._batch.n_tokens = n
        np.ctypeslib.as_array(self._batch.token, (n,))[:] = tokens
        np.ctypeslib.as_array(self._batch.pos, (n,))[:] = positions
        np.ctypeslib.as_array(self._batch.n_seq_id, (n,))[:] = 1
        np.ctypeslib.as_array(self._batch.logits, (n,))[:] = wanted
        for i in range(n):
            self._batch.seq_id[i][0] = int(sequence_t[i])
        if status := llama_cpp.llama_decode(self.pointer, self._batch):
            raise AssertionError(f"llama_decode returned {status}")

    def logits(self, index: int, vocab_size: int) -> np.ndarray:
        """Return the logits after a token of the last batch, a view of [v]."""
        return np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(self.pointer, index), (vocab_size,))

    def clear(self) -> None:
        """Forget all sequences."""
        llama_cpp.llama_memory_clear(self._memory, True)

    def copy(self, source: int, target: int) -> None:
        """Let a sequence hold what another one does."""
        llama_cpp.llama_memory_seq_rm(self._memory, target, -1, -1)
        llama_cpp.llama_memory_seq_cp(self._memory, source, target, -1, -1)


def versions() -> dict[str, str]:
    """Return the versions of what the work is done with."""
    return {"llama_cpp_python": llama_cpp.__version__}
