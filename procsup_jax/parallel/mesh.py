"""The device mesh: its three axes and how it is made."""

from __future__ import annotations

import dataclasses

import jax

from procsup_jax.errors import UserError
from procsup_jax.ranges import BadValue

AXES = ("data", "fsdp", "tensor")


@dataclasses.dataclass(frozen=True)
class MeshSettings:
    """Set how many devices each mesh axis spans.

    `data` splits the batch only; `fsdp` splits the batch and shards the parameters; `tensor` splits heads, hidden
    units and vocabulary. One of them may be -1: it takes the devices that the others leave.
    """

    data: int = 1
    fsdp: int = 1
    tensor: int = 1

    def __post_init__(self) -> None:
        sizes = (self.data, self.fsdp, self.tensor)
        for axis, size in zip(AXES, sizes, strict=True):
            if size < 1 and size != -1:
                raise BadValue(axis, size, "a positive number, or -1 for the remaining devices", "mesh axis")
        if sizes.count(-1) > 1:
            raise UserError(f"mesh data={self.data} fsdp={self.fsdp} tensor={self.tensor}: only one axis can be -1")


def mesh_or_none(settings: MeshSettings) -> jax.sharding.Mesh | None:
    """Make the mesh, None where the settings are those of a single device; errors as for `make_mesh`."""
    return None if (settings.data, settings.fsdp, settings.tensor) == (1, 1, 1) else make_mesh(settings)


def make_mesh(settings: MeshSettings) -> jax.sharding.Mesh:
    """Make a mesh with axes data, fsdp, tensor over the first devices.

    Raises UserError when the axes ask for more devices than there are, or when -1 cannot be resolved.
    """
    available = jax.device_count()
    shape = [settings.data, settings.fsdp, settings.tensor]
    asked = " x ".join(f"{axis}={size}" for axis, size in zip(AXES, shape, strict=True))
    if -1 in shape:
        fixed = -shape[0] * shape[1] * shape[2]
        if available % fixed:
            raise UserError(f"mesh {asked}: {available} devices do not divide by {fixed}; change the other axes")
        shape[shape.index(-1)] = available // fixed
    needed = shape[0] * shape[1] * shape[2]
    if needed > available:
        raise UserError(
            f"mesh {asked} needs {needed} devices, {available} available: lower the axes until their product is at "
            f"most {available}, or set one of them to -1"
        )
    return jax.make_mesh(
        tuple(shape), AXES, axis_types=(jax.sharding.AxisType.Auto,) * len(AXES), devices=jax.devices()[:needed]
    )
