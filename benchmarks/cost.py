"""What a task costs at least: the arithmetic of its matmuls, and the bytes that each sample alone must read."""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.workload import Size, Task

BYTES = {"float32": 4, "bfloat16": 2}


class Cost(NamedTuple):
    """Hold floating-point operations, two a multiply-add, and bytes read from memory."""

    flops: float
    read_bytes: float = 0.0


class Rates(NamedTuple):
    """Hold what the core was measured to do: matmuls in FLOP/s, reading memory in bytes/s."""

    flops: float
    read_bytes: float


def limit_seconds(cost: Cost, rates: Rates) -> float:
    """Return the time that matmuls and memory take at the measured rates, one after the other."""
    return cost.flops / rates.flops + cost.read_bytes / rates.read_bytes


def sampling(task: Task) -> Cost:
    """Return the cost of sampling: a prefill of each prompt, every token's matmuls, each sample's own keys and values.

    A token's matmuls are the kernels, the unembedding and attention to the prompt, which all samples of a problem
    share; its sample's own keys and values are read for it alone, so they count as bytes. So do, on a GPU, where a
    batch's products take less time than reading them, the parameters, once for each of the longest sample's tokens.
    """
    size, flops, read_bytes = task.shape, 0.0, 0.0
    for problem in range(task.num_problems):
        tokens = task.lengths(problem).astype(float)
        flops += reading(size, [task.prompt_len])
        flops += tokens.sum() * (kernel_flops(size) + unembed_flops(size) + attention_flops(size, task.prompt_len))
        read_bytes += (tokens * (tokens + 1) / 2).sum() * kv_bytes(size, task.dtype)
        if task.device == "gpu":
            read_bytes += tokens.max() * (kernel_flops(size) + unembed_flops(size)) / 2 * BYTES[task.dtype]
    return Cost(flops, read_bytes)


def scoring(size: Size, prompt_len: int, lengths: list[int]) -> Cost:
    """Return the cost of reading one prompt and the solutions that follow it, each token once, without logits."""
    alone = reading(size, [prompt_len, *lengths])
    return Cost(alone + sum(n * attention_flops(size, prompt_len) for n in lengths))


def training(task: Task) -> Cost:
    """Return the cost of a training step: three forward passes with logits at every position."""
    size, rows = task.shape, task.batch_size
    forward = reading(size, [task.seq_len] * rows) + rows * task.seq_len * unembed_flops(size)
    return Cost(3 * forward)


def reading(size: Size, lengths: list[int]) -> float:
    """Return the FLOPs of reading documents of these lengths, without logits."""
    return sum(n * kernel_flops(size) + attention_flops(size, n * (n + 1) / 2) for n in lengths)


def kernel_flops(size: Size) -> float:
    """Return the FLOPs of one token's products with the layers' kernels."""
    attention = size.d_model * size.head_dim * (2 * size.num_heads + 2 * size.num_kv_heads)
    return 2.0 * size.num_layers * (attention + 3 * size.d_model * size.d_ff)


def unembed_flops(size: Size) -> float:
    """Return the FLOPs of one position's logits."""
    return 2.0 * size.vocab_size * size.d_model


def attention_flops(size: Size, num_keys: float) -> float:
    """Return the FLOPs of attending to so many keys in every layer."""
    return 4.0 * size.num_layers * size.num_heads * size.head_dim * num_keys


def kv_bytes(size: Size, dtype: str) -> float:
    """Return the bytes of one token's keys and values."""
    return 2.0 * size.num_layers * size.num_kv_heads * size.head_dim * BYTES[dtype]
