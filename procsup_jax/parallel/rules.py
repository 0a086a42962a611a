"""The one table from logical array axes to mesh axes, and what applies it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

LogicalAxes = tuple[str | None, ...]

RULES: Mapping[str, tuple[str, ...]] = {
    # activations
    "batch": ("data", "fsdp"),
    "length": (),
    "act_embed": (),
    # parameters
    "layers": (),
    "embed": ("fsdp",),
    "kv_heads": ("tensor",),
    "heads": ("tensor",),
    "ff": ("tensor",),
    "vocab": ("tensor",),
}


def partition_spec(
    mesh_shape: Mapping[str, int], logical_axes: LogicalAxes, shape: Sequence[int] | None = None
) -> PartitionSpec:
    """Translate logical axes into mesh axes of the given sizes.

    With `shape`, a dimension that its mesh axes do not divide is left whole on every device: correct for every
    model and mesh, at the cost of that dimension's memory.
    """
    spec: list[Any] = []
    for dim, name in enumerate(logical_axes):
        axes = () if name is None else RULES[name]
        num_shards = 1
        for axis in axes:
            num_shards *= mesh_shape[axis]
        whole = not axes or (shape is not None and shape[dim] % num_shards)
        spec.append(None if whole else axes[0] if len(axes) == 1 else axes)
    return PartitionSpec(*spec)


def sharding(mesh: Mesh, logical_axes: LogicalAxes, shape: Sequence[int] | None = None) -> NamedSharding:
    """Return the sharding of an array with these logical axes; see `partition_spec` for `shape`."""
    return NamedSharding(mesh, partition_spec(mesh.shape, logical_axes, shape))


def tree_sharding(mesh: Mesh, axes_tree: Any, shapes_tree: Any = None) -> Any:
    """Map `sharding` over a tree of logical axes and, where given, a tree of arrays or ShapeDtypeStructs."""
    if shapes_tree is None:
        return jax.tree.map(lambda axes: sharding(mesh, axes), axes_tree, is_leaf=_is_axes)
    return jax.tree.map(lambda axes, array: sharding(mesh, axes, array.shape), axes_tree, shapes_tree, is_leaf=_is_axes)


def constrain(array: jax.Array, logical_axes: LogicalAxes) -> jax.Array:
    """Pin an array's sharding inside a jitted function; does nothing outside `use`."""
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty:
        return array
    return jax.lax.with_sharding_constraint(array, partition_spec(mesh.shape, logical_axes, array.shape))


def num_shards(logical_axis: str, size: int) -> int:
    """Return into how many pieces `constrain` cuts a dimension of this size; 1 outside `use`."""
    shape = jax.sharding.get_abstract_mesh().shape
    [axes] = partition_spec(shape, (logical_axis,), (size,)) if shape else [None]
    return math.prod(shape[axis] for axis in ((axes,) if isinstance(axes, str) else axes or ()))


@contextlib.contextmanager
def use(mesh: Mesh | None) -> Iterator[None]:
    """Make `mesh` the one that `constrain` refers to; None leaves everything on one device.

    The mesh is part of jax.jit's cache key, so one jitted function serves several meshes.
    """
    if mesh is None:
        yield
        return
    with jax.set_mesh(mesh):
        yield


def _is_axes(node: Any) -> bool:
    return isinstance(node, tuple) and all(axis is None or isinstance(axis, str) for axis in node)
