"""Named arrays in one file (the only importer of the safetensors library)."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator, Mapping

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from procsup_jax import files
from procsup_jax.errors import UserError

DTYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}


class TensorFile:
    """Read arrays of a safetensors file one at a time; names, shapes and types are known before any is read."""

    def __init__(self, path: pathlib.Path, opened: safe_open) -> None:
        self.path, self._opened = path, opened
        slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118 - no mapping
        self.shapes: dict[str, tuple[int, ...]] = {name: tuple(each.get_shape()) for name, each in slices.items()}
        self.dtypes: dict[str, str] = {name: each.get_dtype() for name, each in slices.items()}

    def read(self, name: str) -> np.ndarray:
        """Return one array in memory of its own; bfloat16 is `ml_dtypes.bfloat16`.

        Raises UserError for a type other than float32, float16 and bfloat16.
        """
        if self.dtypes[name] not in DTYPES:
            raise UserError(
                f"{self.path}: tensor {name} has type {self.dtypes[name]}, expected one of {', '.join(DTYPES)}; "
                "convert it first"
            )
        return self._opened.get_tensor(name)


@contextlib.contextmanager
def open_tensors(path: files.PathLike) -> Iterator[TensorFile]:
    """Open a safetensors file; raises UserError where it is missing or damaged."""
    path = pathlib.Path(path)
    with files.explain_os_errors(path, "read"):
        path.open("rb").close()
    try:
        with safe_open(path, "np", backend="pread") as opened:
            yield TensorFile(path, opened)
    except SafetensorError as error:
        raise UserError(f"{path} is damaged ({error}): make or copy it again") from error


def write_tensors(
    path: files.PathLike, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None
) -> None:
    """Write arrays to a safetensors file; equal ones give equal bytes with at most one entry of metadata."""
    path = pathlib.Path(path)
    with files.explain_os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            save_file({name: np.ascontiguousarray(a) for name, a in arrays.items()}, path, dict(metadata or {}) or None)
        except SafetensorError as error:
            files.raise_full_disk(error)
            raise UserError(f"cannot write {path}: {error}; choose another folder") from error
        with path.open("rb+") as file:
            os.fchmod(file.fileno(), 0o666 & ~files.umask())
            os.fsync(file.fileno())
