"""Finished parts of long work, kept as they come, so that the same work goes on from there when it was killed.

A journal is a hidden file that is only ever appended to, one line for each part: the CRC-32 of what follows, the part's
key, and its arrays as JSON. A line that a kill cut short, or that is damaged, is none. What a power cut takes of the
last lines is computed again.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
import pathlib
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, TypeVar

import numpy as np

from procsup_jax import claims, files, json_lines, remote

Item = TypeVar("Item")
Arrays = list[np.ndarray]

_CRC = len("00000000 ")
_DTYPES = ("bool", "int32", "float32")


class Journal:
    """Keep arrays by keys that say all that they depend on; without a path nothing is kept, and nothing found.

    Several processes of one job give the same path and each its `index`: it writes to its own file and finds what all
    have written, also when they were more or fewer then. A file that another job is writing to is left to it, and
    nothing is kept.
    """

    def __init__(self, path: files.PathLike | None = None, index: int = 0) -> None:
        self._path = None if path is None else pathlib.Path(path)
        self._index, self._handle, self._is_taken = index, -1, False
        self._lines: dict[str, bytes] = {}
        for each in self._all():
            with files.explain_os_errors(each, "read"):
                self._lines |= dict(map(_split, filter(_is_whole, each.read_bytes().split(b"\n"))))

    @classmethod
    def beside(cls, output: files.PathLike, index: int = 0) -> Journal:
        """Return the journal of a job's output: `.NAME.parts` beside it, none for a device or a pipe."""
        if files.is_stream(output):
            return cls()
        local = remote.scratch(output)
        return cls(local.with_name(f".{local.name}.parts"), index)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def find(self, key: str) -> Arrays | None:
        """Return the arrays that were kept under a key, None where there are none."""
        line = self._lines.get(key)
        return None if line is None else _arrays(line)

    def keep(self, key: str, arrays: Sequence[np.ndarray]) -> None:
        """Append a part; raises UserError where it cannot be written, as on a full disk."""
        if self._path is None or self._is_taken:
            return
        with files.explain_os_errors(self._path):
            if self._handle < 0 and not self._open(self._path):
                return
            _append(self._handle, _line(key, arrays))

    def through(
        self,
        items: Iterable[Item],
        key: Callable[[Item], str],
        compute: Callable[[list[Item]], Iterable[tuple[Item, Arrays]]],
    ) -> Iterator[tuple[Item, Arrays]]:
        """Yield each item with its arrays: those kept under its key first, then what `compute` makes of the others."""
        if self._path is None:
            yield from compute(list(items))
            return
        missing, num_found = [], 0
        for item in items:
            found = self.find(key(item))
            if found is None:
                missing.append(item)
            else:
                num_found += 1
                yield item, found
        if num_found:
            print(f"{num_found} of {num_found + len(missing)} parts were kept before", file=sys.stderr, flush=True)
        if missing:
            for item, arrays in compute(missing):
                self.keep(key(item), arrays)
                yield item, arrays

    def remove(self) -> None:
        """Remove what all processes kept, once what was made of it is safe."""
        for each in self._all():
            each.unlink(missing_ok=True)

    def _all(self) -> list[pathlib.Path]:
        if self._path is None or not self._path.parent.is_dir():
            return []
        return sorted(each for each in self._path.parent.iterdir() if _index_of(each.name, self._path.name) is not None)

    def _open(self, path: pathlib.Path) -> bool:
        """Open this process's file behind its last whole line; return False where another job writes to it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        own = path.with_name(f"{path.name}-{self._index}")
        handle = os.open(own, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        if claims.claim(handle) is False:
            os.close(handle)
            self._is_taken = True
            return False
        size = os.fstat(handle).st_size
        if size and os.pread(handle, 1, size - 1) != b"\n":
            _append(handle, b"\n")
        self._handle = handle
        return True


NOTHING = Journal()


def key(*parts: Any) -> str:
    """Return a short name of anything that JSON can spell, another one for other parts."""
    text = json.dumps(parts, sort_keys=True, allow_nan=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _index_of(name: str, start: str) -> int | None:
    head, dash, index = name.rpartition("-")
    return int(index) if head == start and dash and index.isascii() and index.isdecimal() else None


def _append(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]


def _line(key: str, arrays: Sequence[np.ndarray]) -> bytes:
    packed = [
        [str(array.dtype), array.shape, base64.b64encode(zlib.compress(array.tobytes(), 1)).decode()]
        for array in map(np.asarray, arrays)
    ]
    body = f"{key} {json.dumps(packed)}".encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _is_whole(line: bytes) -> bool:
    return len(line) > _CRC and line[:_CRC] == b"%08x " % zlib.crc32(line[_CRC:])


def _split(line: bytes) -> tuple[str, bytes]:
    """Return a whole line's key and its arrays, still packed."""
    key, _, packed = line[_CRC:].partition(b" ")
    return key.decode(errors="replace"), packed


def _arrays(packed: bytes) -> Arrays | None:
    """Return a part's arrays, None where something else wrote the line."""
    try:
        return [_array(*each) for each in json_lines.loads(packed)]
    except (ValueError, TypeError, zlib.error):  # what is no base64 is a ValueError
        return None


def _array(dtype: str, shape: Sequence[int], data: str) -> np.ndarray:
    if dtype not in _DTYPES:
        raise ValueError(dtype)
    size = math.prod(shape) * np.dtype(dtype).itemsize
    inflate = zlib.decompressobj()
    content = inflate.decompress(base64.b64decode(data), size + 1)
    if len(content) != size:
        raise ValueError(len(content))
    return np.frombuffer(content, dtype).reshape(shape).copy()
