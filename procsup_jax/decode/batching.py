"""Sequences into padded batches of few shapes, and the random key of each problem."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import jax
import numpy as np


def problem_key(seed: int, uid: str) -> np.ndarray:
    """Return the raw random key of a problem, uint32 [2], from which those of its tokens are folded."""
    key = jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), zlib.crc32(uid.encode()))
    return np.asarray(jax.random.key_data(key))


def length_bucket(length: int, smallest: int = 144) -> int:
    """Round a length up to 1, 1.5, 2, 3, 4, 6, ... times `smallest`, so that few shapes are compiled."""
    size = smallest
    while size < length:
        if size * 3 // 2 >= length:
            return size * 3 // 2
        size *= 2
    return size


def pad_rows(rows: Sequence[Sequence[int]], size: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Return token rows padded to int32 [size, length], and their lengths [size]."""
    tokens_rp, len_r = np.zeros((size, length), np.int32), np.zeros(size, np.int32)
    for i, row in enumerate(rows):
        len_r[i] = len(row)
        tokens_rp[i, : len_r[i]] = row
    return tokens_rp, len_r


def num_slots(wanted: int, num_samples: int) -> int:
    """Return how many samples of a problem to write at a time: `wanted` or fewer, with no nearly empty last round."""
    return -(-num_samples // -(-num_samples // wanted))
