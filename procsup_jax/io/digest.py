"""The digest of arrays by name: what was written is what is read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import jax
import ml_dtypes
import numpy as np
from jax.experimental import multihost_utils


class Digest:
    """Sum up arrays that come in the order of their names: SHA-256 of each "name dtype shape;" and its bytes."""

    def __init__(self) -> None:
        self._content = hashlib.sha256()

    def update(self, name: str, array: np.ndarray) -> None:
        """Take in the next array."""
        bits = np.ascontiguousarray(array).view(np.uint16) if array.dtype == ml_dtypes.bfloat16 else array
        self._content.update(f"{name} {bits.dtype.str} {bits.shape};".encode())
        self._content.update(np.ascontiguousarray(bits).data)

    def hexdigest(self) -> str:
        """Return 64 hexadecimal digits."""
        return self._content.hexdigest()


def digest_of(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the digest of arrays by name."""
    sums = Digest()
    for name in sorted(arrays):
        sums.update(name, arrays[name])
    return sums.hexdigest()


def tree_digest(tree: Any) -> str:
    """Return the digest of a tree of arrays under their paths; with several processes all must call."""
    sums = Digest()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        sums.update(jax.tree_util.keystr(path), to_host(leaf))
    return sums.hexdigest()


def to_host(array: jax.Array | np.ndarray) -> np.ndarray:
    """Return a whole array on the host; with several processes all must call."""
    if isinstance(array, jax.Array) and not array.is_fully_addressable:
        return np.asarray(multihost_utils.process_allgather(array, tiled=True))
    return np.asarray(array)
