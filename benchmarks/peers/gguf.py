"""Write the weights of a task as a GGUF file (version 3) of the architecture `llama`, in float32.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from __future__ import annotations

import pathlib
import struct

import numpy as np

from benchmarks import weights
from benchmarks.workload import Task

ALIGNMENT = 32
_UINT32, _FLOAT32, _STRING = 4, 6, 8
_F32_TENSOR = 0


def write(task: Task, path: pathlib.Path) -> None:
    """Write a task's weights."""
    fields = _fields(task)
    tensors = {name: np.ascontiguousarray(array, "<f4") for name, array in weights.as_gguf(task)}
    head = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(fields))]
    head += [_string(name) + _value(value) for name, value in fields.items()]
    offset = 0
    for name, array in tensors.items():
        dims = array.shape[::-1]
        head.append(_string(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, _F32_TENSOR, offset))
        offset += _padded(array.nbytes)
    with path.open("wb") as file:
        for part in head:
            file.write(part)
        file.write(b"\0" * (-file.tell() % ALIGNMENT))
        for array in tensors.values():
            file.write(array.tobytes())
            file.write(b"\0" * (_padded(array.nbytes) - array.nbytes))


def _fields(task: Task) -> dict[str, str | int | float]:
    c = task.shape
    return {
        "general.architecture": "llama",
        "llama.context_length": 4096,
        "llama.embedding_length": c.d_model,
        "llama.block_count": c.num_layers,
        "llama.feed_forward_length": c.d_ff,
        "llama.attention.head_count": c.num_heads,
        "llama.attention.head_count_kv": c.num_kv_heads,
        "llama.attention.key_length": c.head_dim,
        "llama.attention.value_length": c.head_dim,
        "llama.attention.layer_norm_rms_epsilon": c.norm_eps,
        "llama.rope.dimension_count": c.head_dim,
        "llama.rope.freq_base": c.rope_theta,
        "llama.vocab_size": c.vocab_size,
        "tokenizer.ggml.model": "no_vocab",
    }


def _string(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _value(value: str | int | float) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", _STRING) + _string(value)
    return struct.pack("<II", _UINT32, value) if isinstance(value, int) else struct.pack("<If", _FLOAT32, value)


def _padded(size: int) -> int:
    return size + -size % ALIGNMENT
