"""What a family's table holds, and reading and writing parameters by it, one tensor at a time."""

from __future__ import annotations

import dataclasses
import fnmatch
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from procsup_jax.errors import UserError
from procsup_jax.models import paths
from procsup_jax.models.config import ModelConfig

Shape = tuple[int, ...]
Part = Callable[[ModelConfig], slice | int]


@dataclasses.dataclass(frozen=True)
class Key:
    """Say where one foreign tensor lies in our parameters.

    `path` names our array, its parents before it ("layers/mlp/gate"); below "layers" arrays are stacked on axis 0 and
    the foreign tensor is one layer's. `names` has the foreign name in each style, with {layer} for the layer's number.
    `part` is what of our fused kernel [d, k, g + 2, e] it is, on the third axis. A `kernel` is ours transposed: [out,
    in]. `rotary` marks the projections whose outputs rotary positions turn.
    """

    path: str
    names: Mapping[str, str]
    part: Part | None = None
    kernel: bool = False
    rotary: bool = False


@dataclasses.dataclass(frozen=True)
class Style:
    """Describe a way to write a family's tensors.

    `interleaved`: rotary positions turn neighbouring rows of a head, where ours turn its two halves. `ignored` are
    patterns of tensors that hold no parameters; `copies` names tensors that may be there once more, equal to another.
    """

    interleaved: bool = False
    ignored: Sequence[str] = ()
    copies: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Table:
    """Hold a family: its name, the shapes of our arrays, its keys, and the style of each file format."""

    family: str
    shapes: Callable[[ModelConfig], Mapping[str, Shape]]
    keys: Sequence[Key]
    styles: Mapping[str, Style]


class Source(Protocol):
    """Hold tensors under foreign names; shapes are known before anything is read."""

    @property
    def shapes(self) -> Mapping[str, Shape]:
        """Return the shape of every tensor."""

    def read(self, name: str) -> np.ndarray:
        """Return one tensor."""


def foreign_shapes(table: Table, style: str, config: ModelConfig) -> dict[str, Shape]:
    """Return the names and shapes of a config's tensors in a style."""
    ours = {path: np.broadcast_to(np.float32(0), shape) for path, shape in table.shapes(config).items()}
    found: dict[str, Shape] = {}
    for key, name, view in _places(table, style, config, ours):
        found[name] = (math.prod(view.shape[1:]), view.shape[0]) if key.kernel else view.shape
    return found


def read_params(table: Table, style: str, config: ModelConfig, source: Source, dtype: Any) -> dict[str, Any]:
    """Return our parameters in `dtype`; beside them only one tensor at a time is in memory.

    Raises UserError naming the first tensor that is missing, not expected or misshaped.
    """
    check_shapes(table, style, config, source)
    ours = {path: np.empty(shape, dtype) for path, shape in table.shapes(config).items()}
    for key, name, view in _places(table, style, config, ours):
        tensor = source.read(name)
        if key.rotary and table.styles[style].interleaved:
            tensor = _halves(tensor, config.head_dim)
        view[...] = (tensor.T if key.kernel else tensor).reshape(view.shape)
    return paths.nest(ours)


def write_params(
    table: Table, style: str, config: ModelConfig, params: Mapping[str, Any]
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield foreign names and tensors, each made when it is asked for.

    Raises UserError for parameters that the family has no place for.
    """
    ours, wanted = paths.flatten(params), table.shapes(config)
    for path in sorted(ours.keys() | wanted.keys()):
        found = ours[path].shape if path in ours else None
        if found != wanted.get(path):
            raise UserError(
                f"parameter {path}: found {_said(found)}, expected {_said(wanted.get(path))} for a model of the "
                f"{table.family} family with this config: what has parts of its own can't be written as one"
            )
    for key, name, view in _places(table, style, config, ours):
        tensor = view.reshape(view.shape[0], -1).T if key.kernel else view
        if key.rotary and table.styles[style].interleaved:
            tensor = _neighbours(tensor, config.head_dim)
        yield name, np.ascontiguousarray(tensor)


def check_shapes(table: Table, style: str, config: ModelConfig, source: Source) -> None:
    """Raise UserError naming the first tensor that is missing, not expected or misshaped."""
    if config.num_layers > len(source.shapes):
        raise UserError(
            f"num_layers={config.num_layers}, but there are {len(source.shapes)} tensors: is the file whole?"
        )
    wanted, found, way = foreign_shapes(table, style, config), source.shapes, table.styles[style]
    for name in [*wanted, *sorted(found.keys() - wanted.keys())]:
        if found.get(name) == wanted.get(name) or any(fnmatch.fnmatch(name, pattern) for pattern in way.ignored):
            continue
        original = way.copies.get(name)
        if name not in wanted and original in wanted and np.array_equal(source.read(name), source.read(original)):
            continue
        raise UserError(
            f"tensor {name}: found {_said(found.get(name))}, expected {_said(wanted.get(name))} for a model of the "
            f"{table.family} family with this config; is the file whole, and of this family?"
        )


def _said(shape: Shape | None) -> str:
    return "none" if shape is None else f"shape {tuple(shape)}"


def _places(
    table: Table, style: str, config: ModelConfig, ours: Mapping[str, Any]
) -> Iterator[tuple[Key, str, np.ndarray]]:
    """Yield each foreign tensor's key, its name and where it lies in our arrays, layer by layer."""
    keys = [key for key in table.keys if key.path in ours]
    for layer in range(-1, config.num_layers):
        for key in keys:
            if key.path.startswith("layers/") != (layer >= 0):
                continue
            array = ours[key.path] if layer < 0 else ours[key.path][layer]
            view = array if key.part is None else array[:, :, key.part(config)]
            yield key, key.names[style].format(layer=layer), view


def _halves(tensor: np.ndarray, head_dim: int) -> np.ndarray:
    """Reorder each head's rows from pairs of neighbours to two halves."""
    return tensor.reshape(-1, head_dim // 2, 2, tensor.shape[-1]).swapaxes(1, 2).reshape(tensor.shape)


def _neighbours(tensor: np.ndarray, head_dim: int) -> np.ndarray:
    """Reorder each head's rows from two halves to pairs of neighbours."""
    return tensor.reshape(-1, 2, head_dim // 2, tensor.shape[-1]).swapaxes(1, 2).reshape(tensor.shape)
