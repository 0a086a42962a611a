"""What every stage of a run shares: its settings, its folder, its mesh, and the files between the stages."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import zlib

import jax

from procsup_jax import records
from procsup_jax.io.models import HEADER, load_encoding, load_model
from procsup_jax.io.params import PARAMS
from procsup_jax.models.model import Model
from procsup_jax.parallel.mesh import mesh_or_none
from procsup_jax.stages.experiment import ExperimentSettings
from procsup_jax.stages.stage import RunFolder
from procsup_jax.text.encoding import Encoding
from procsup_jax.types import Problem

BASE = "base"


@dataclasses.dataclass(frozen=True, eq=False)
class Context:
    """Hold one run; paths between stages are relative to its folder and made by the methods here."""

    settings: ExperimentSettings
    folder: RunFolder

    @functools.cached_property
    def mesh(self) -> jax.sharding.Mesh | None:
        """Return the mesh, None for a single device."""
        return mesh_or_none(self.settings.mesh)

    @functools.cached_property
    def encoding(self) -> Encoding:
        """Return how the run's models read and write; the base stage has put it there."""
        return load_encoding(self.folder / f"models/{BASE}")

    @functools.lru_cache(maxsize=16)  # noqa: B019 - a run has one Context
    def problems(self, split: str) -> list[Problem]:
        """Return a split's problems; the data stage has written them."""
        return records.read_problems(self.folder / problems_file(split))

    def model(self, name: str) -> Model:
        """Return a model that an earlier stage saved."""
        return load_model(self.folder / f"models/{name}", mesh=self.mesh).replace(name=name)

    def seed(self, name: str) -> int:
        """Return the seed of a stage: a function of the run's seed and the stage's name."""
        return zlib.crc32(f"{self.settings.seed}/{name}".encode()) >> 1

    def path(self, name: str) -> pathlib.Path:
        """Return the full path of a file of the run."""
        return self.folder / name


def problems_file(split: str) -> str:
    """Return the name of a split's file."""
    return f"data/{split}.jsonl"


def model_files(name: str) -> tuple[str, str]:
    """Return the names of a saved model's files, its tokenizer's apart."""
    return f"models/{name}/{PARAMS}", f"models/{name}/{HEADER}"
