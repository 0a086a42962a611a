"""The one table from logical array axes to mesh axes, and what applies it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

LogicalAxes = tuple[str | None, ...]

# Axes of the mesh over which everything is independent, row by row.
BATCH = ("data", "fsdp")

RULES: Mapping[str, tuple[str, ...]] = {
    # activations
    "batch": BATCH,
    "rows": BATCH,
    "length": (),
    "act_embed": (),
    # parameters
    "layers": (),
    "embed": ("fsdp",),
    "kv_heads": ("tensor",),
    "heads": ("tensor",),
    "ff": ("tensor",),
    "vocab": ("tensor",),
    # parameters while they are decoded with: gathered once, not at every token
    "read_embed": (),
}
# What takes a mesh axis as well where the dimension that should have it does not divide by it, so that no array lies
# whole on every device: with fewer key-value heads than the tensor axis, attention and its caches are split by rows.
SPARE: Mapping[str, tuple[str, ...]] = {"rows": ("tensor",), "embed": ("tensor",), "read_embed": ("tensor",)}


def partition_spec(
    mesh_shape: Mapping[str, int], logical_axes: LogicalAxes, shape: Sequence[int] | None = None
) -> PartitionSpec:
    """Translate logical axes into mesh axes of the given sizes.

    With `shape`, a dimension that its mesh axes do not divide is left whole, and those of SPARE take them where they
    can: correct for every model and mesh.
    """
    wanted = [() if name is None else RULES[name] for name in logical_axes]
    if shape is None:
        return PartitionSpec(*map(_entry, wanted))
    divides = lambda size, axes: size % math.prod(mesh_shape[axis] for axis in axes) == 0  # noqa: E731
    found = [axes if divides(size, axes) else () for axes, size in zip(wanted, shape, strict=True)]
    left = {axis for axes, kept in zip(wanted, found, strict=True) for axis in axes if not kept}
    for dim, name in enumerate(logical_axes):
        more = tuple(axis for axis in SPARE.get(name or "", ()) if axis in left)
        if more and divides(shape[dim], (*found[dim], *more)):
            found[dim] = (*found[dim], *more)
            left -= set(more)
    return PartitionSpec(*map(_entry, found))


def _entry(axes: tuple[str, ...]) -> str | tuple[str, ...] | None:
    return None if not axes else axes[0] if len(axes) == 1 else axes


def sharding(
    mesh: Mesh | jax.sharding.AbstractMesh, logical_axes: LogicalAxes, shape: Sequence[int] | None = None
) -> NamedSharding:
    """Return the sharding of an array with these logical axes; see `partition_spec` for `shape`."""
    return NamedSharding(mesh, partition_spec(mesh.shape, logical_axes, shape))


def tree_sharding(mesh: Mesh | jax.sharding.AbstractMesh, axes_tree: Any, shapes_tree: Any = None) -> Any:
    """Map `sharding` over a tree of logical axes and, where given, a tree of arrays or ShapeDtypeStructs."""
    if shapes_tree is None:
        return jax.tree.map(lambda axes: sharding(mesh, axes), axes_tree, is_leaf=is_axes)
    return jax.tree.map(lambda axes, array: sharding(mesh, axes, array.shape), axes_tree, shapes_tree, is_leaf=is_axes)


def bytes_on_device(mesh: Mesh | jax.sharding.AbstractMesh, axes_tree: Any, shapes_tree: Any) -> int:
    """Return what each device holds of a tree of arrays or ShapeDtypeStructs with these logical axes."""
    places = jax.tree.leaves(tree_sharding(mesh, axes_tree, shapes_tree))
    parts = zip(places, jax.tree.leaves(shapes_tree), strict=True)
    return sum(math.prod(place.shard_shape(each.shape)) * each.dtype.itemsize for place, each in parts)


def constrain(array: jax.Array, logical_axes: LogicalAxes) -> jax.Array:
    """Pin an array's sharding inside a jitted function; does nothing outside `use`.

    Within `over_batch` the arrays are a device's own part of the batch, and only the other axes are pinned.
    """
    mesh = jax.sharding.get_abstract_mesh()
    return array if mesh.empty else jax.lax.with_sharding_constraint(array, spec_here(logical_axes, array.shape))


def spec_here(logical_axes: LogicalAxes, shape: Sequence[int]) -> PartitionSpec:
    """Return how an array lies on the mesh in use; within `over_batch` over the axes that are not the batch's."""
    mesh = jax.sharding.get_abstract_mesh()
    sizes = {axis: 1 if axis in mesh.manual_axes else size for axis, size in mesh.shape.items()}
    spec = partition_spec(sizes, logical_axes, shape)
    return PartitionSpec(*(_entry(_without(entry, mesh.manual_axes)) for entry in spec)) if mesh.manual_axes else spec


def constrain_tree(tree: Any, axes_tree: Any) -> Any:
    """Pin every array of a tree, whose logical axes are in a tree of the same shape."""
    return jax.tree.map(lambda axes, array: constrain(array, axes), axes_tree, tree, is_leaf=is_axes)


def _without(entry: Any, axes: Sequence[str]) -> tuple[str, ...]:
    named = () if entry is None else (entry,) if isinstance(entry, str) else entry
    return tuple(axis for axis in named if axis not in axes)


def batch_shards(mesh: Mesh | jax.sharding.AbstractMesh | None) -> int:
    """Return over how many devices a batch is split."""
    return 1 if mesh is None or mesh.empty else math.prod(mesh.shape[axis] for axis in BATCH)


def num_shards(logical_axis: str, size: int) -> int:
    """Return into how many pieces `constrain` cuts a dimension of this size; 1 outside `use`."""
    shape = jax.sharding.get_abstract_mesh().shape
    [axes] = partition_spec(shape, (logical_axis,), (size,)) if shape else [None]
    return math.prod(shape[axis] for axis in ((axes,) if isinstance(axes, str) else axes or ()))


@contextlib.contextmanager
def use(mesh: Mesh | jax.sharding.AbstractMesh | None) -> Iterator[None]:
    """Make `mesh` the one that `constrain` refers to; None leaves everything on one device.

    The mesh is part of jax.jit's cache key, so one jitted function serves several meshes. For shapes alone an abstract
    one will do.
    """
    if mesh is None:
        yield
        return
    using = jax.set_mesh(mesh) if isinstance(mesh, Mesh) else jax.sharding.use_abstract_mesh(mesh)
    with using:
        yield


def is_axes(node: Any) -> bool:
    """Tell whether a node of a tree is an array's logical axes; an empty tuple is a node without arrays."""
    return isinstance(node, tuple) and bool(node) and all(axis is None or isinstance(axis, str) for axis in node)
