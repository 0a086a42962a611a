"""The best parameters of a fit under way, without a second copy of them in memory where there is a disk."""

from __future__ import annotations

import pathlib

import jax

from procsup_jax.io.params import to_host
from procsup_jax.io.tensors import open_tensors, write_tensors
from procsup_jax.models import api, paths
from procsup_jax.training.state import copy_tree


class Best:
    """Keep the parameters of one step: in `folder`, a file for each step, or without one a copy in memory."""

    def __init__(self, folder: pathlib.Path | None) -> None:
        self._folder = folder
        self._copy: api.Params = {}
        self._saved: set[int] = set()

    def keep(self, step: int, params: api.Params) -> None:
        """Keep the parameters of this step; they may be donated as soon as this returns."""
        if self._folder is None:
            self._copy = copy_tree(params)
            return
        arrays = {name: to_host(array) for name, array in paths.flatten(params).items()}
        if jax.process_index() == 0:
            aside = self._path(step).with_suffix(".tmp")
            write_tensors(aside, arrays)
            aside.replace(self._path(step))

    def load(self, step: int, like: api.Params) -> api.Params:
        """Return the parameters kept of this step; `like` has their types and, with a mesh, shards."""
        if self._folder is None:
            return self._copy
        flat = paths.flatten(like)
        with open_tensors(self._path(step)) as tensors:
            found = {name: jax.device_put(tensors.read(name), each.sharding) for name, each in flat.items()}
        return paths.nest(found)

    def saved(self, step: int) -> None:
        """Say that a checkpoint that refers to this step is being written: what no checkpoint refers to goes.

        The checkpoint before may still be the newest whole one, so what that one refers to stays.
        """
        if self._folder is not None and jax.process_index() == 0:
            kept = {self._path(each) for each in (*self._saved, step)}
            for path in self._folder.glob("*.*"):
                if path not in kept:
                    path.unlink()
        self._saved = {step}

    def _path(self, step: int) -> pathlib.Path:
        assert self._folder is not None
        return self._folder / f"{step}.safetensors"
