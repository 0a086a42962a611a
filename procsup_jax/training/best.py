"""The best parameters of a fit under way, without a second copy of them in memory where there is a disk."""

from __future__ import annotations

import collections
import pathlib

import jax
import numpy as np

from procsup_jax import files, processes
from procsup_jax.errors import UserError
from procsup_jax.io.checkpoint import KEPT, Damaged
from procsup_jax.io.digest import digest_of, to_host
from procsup_jax.io.tensors import open_tensors, write_tensors
from procsup_jax.models import api, paths
from procsup_jax.training.state import copy_tree


class Best:
    """Keep the parameters of one step: in `folder`, a file for each step, or without one a copy in memory.

    `digest` is that of the parameters kept last, "" where they are not in a file.
    """

    def __init__(self, folder: pathlib.Path | None) -> None:
        self.digest = ""
        self._folder = folder
        self._copy: api.Params = {}
        # What the checkpoints that may lie on the disk refer to: those kept and the one being written. An earlier
        # process's may refer to any file that is there.
        found = set() if folder is None else set(folder.glob("*.safetensors"))
        self._referred: collections.deque[set[pathlib.Path]] = collections.deque([found], maxlen=KEPT + 1)

    def keep(self, step: int, params: api.Params) -> None:
        """Keep the parameters of this step; they may be donated as soon as this returns."""
        if self._folder is None:
            self._copy = copy_tree(params)
            return
        arrays = {name: to_host(array) for name, array in paths.flatten(params).items()}
        self.digest = digest_of(arrays)
        if processes.is_first():
            with files.whole_file(self._path(step)) as temporary:
                write_tensors(temporary, arrays)

    def load(self, step: int, like: api.Params) -> api.Params:
        """Return the parameters kept of this step; `like` has their types and, with a mesh, shards.

        Raises UserError where the file no longer holds what was kept.
        """
        if self._folder is None:
            return self._copy
        arrays, flat = _read(self._path(step)), paths.flatten(like)
        if self.digest and digest_of(arrays) != self.digest:
            raise UserError(
                f"{self._path(step)} is damaged: the best parameters are lost; run the same command again, which goes "
                "on from a checkpoint before them or starts this training anew"
            )
        return paths.nest({name: jax.device_put(arrays[name], each.sharding) for name, each in flat.items()})

    def check(self, step: int, digest: str) -> None:
        """Take up what a checkpoint says of the best step; raises Damaged where its file holds something else."""
        if self._folder is not None and digest:
            try:
                found = digest_of(_read(self._path(step)))
            except UserError as error:
                raise Damaged(str(error)) from error
            if found != digest:
                raise Damaged(f"{self._path(step)} holds other parameters than were kept")
        self.digest = digest

    def saved(self, step: int) -> None:
        """Say that a checkpoint that refers to this step is being written: what no checkpoint refers to goes."""
        if self._folder is None or not processes.is_first():
            return
        self._referred.append({self._path(step)})
        for path in set(self._folder.glob("*.*")).difference(*self._referred):
            path.unlink()

    def _path(self, step: int) -> pathlib.Path:
        assert self._folder is not None
        return self._folder / f"{step}.safetensors"


def _read(path: pathlib.Path) -> dict[str, np.ndarray]:
    with open_tensors(path) as tensors:
        return {name: tensors.read(name) for name in tensors.shapes}
