"""Is a GGUF file's header as long as it says: the library believes every count in it, and reads on for hours.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from __future__ import annotations

import math
import os
import pathlib
import struct
from typing import BinaryIO

# The bytes of each type of value; strings and arrays have a length of their own.
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY = 8, 9
_MAX_DIMS, _MAX_DEPTH = 8, 4


def check_header(path: pathlib.Path) -> None:
    """Raise ValueError where something in the header reaches past the file's end, or is of no known type."""
    with path.open("rb") as file:
        _Walk(file, os.fstat(file.fileno()).st_size).run()


class _Walk:
    """Walk through a header."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size, self._order = file, size, "<"

    def run(self) -> None:
        if self._file.read(4) != b"GGUF":
            raise ValueError("it does not start with GGUF")
        version = self._file.read(4)
        # A file of a machine with the other order of bytes has its version in the upper half.
        self._order = "<" if version[:2] != b"\0\0" else ">"
        num_tensors, num_values = self._number("Q"), self._number("Q")
        for _ in range(self._fitting(num_values, 13)):
            self._skip(self._number("Q"))
            self._skip_value(self._number("I"), 0)
        for _ in range(self._fitting(num_tensors, 24)):
            self._skip(self._number("Q"))
            num_dims = self._number("I")
            if num_dims > _MAX_DIMS:
                raise ValueError(f"a tensor has {num_dims} dimensions")
            dims = [self._number("Q") for _ in range(num_dims)]
            self._number("I")
            # No type has less than a bit a number.
            if self._number("Q") > self._size or math.prod(dims) > 8 * self._size:
                raise ValueError(f"a tensor of the shape {dims} lies past its end")

    def _skip_value(self, kind: int, depth: int) -> None:
        if kind in _SIZES:
            self._skip(_SIZES[kind])
        elif kind == _STRING:
            self._skip(self._number("Q"))
        elif kind == _ARRAY and depth < _MAX_DEPTH:
            inner, number = self._number("I"), self._number("Q")
            if inner in _SIZES:
                self._skip(number * _SIZES[inner])
                return
            for _ in range(self._fitting(number, 8)):
                self._skip_value(inner, depth + 1)
        else:
            raise ValueError(f"a value has the type {kind}")

    def _fitting(self, number: int, least: int) -> int:
        """Return a number of things, each of at least so many bytes, that the rest of the file has room for."""
        if number * least > self._size - self._file.tell():
            raise ValueError(f"{number} entries reach past its end")
        return number

    def _skip(self, num_bytes: int) -> None:
        if num_bytes > self._size - self._file.tell():
            raise ValueError(f"{num_bytes} bytes reach past its end")
        self._file.seek(num_bytes, os.SEEK_CUR)

    def _number(self, kind: str) -> int:
        content = self._file.read(struct.calcsize(f"<{kind}"))
        if len(content) < struct.calcsize(f"<{kind}"):
            raise ValueError("it ends in its header")
        return int(struct.unpack(f"{self._order}{kind}", content)[0])
