"""The device mesh: how it is made."""

from __future__ import annotations

from collections.abc import Sequence

import jax
from jax.experimental import mesh_utils

from procsup_jax.errors import UserError
from procsup_jax.parallel.settings import AXES, MeshSettings


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
    return mesh_over(shape, jax.devices()[:needed])


def mesh_over(shape: Sequence[int], devices: Sequence[jax.Device]) -> jax.sharding.Mesh:
    """Lay a mesh of this shape over devices, as near each other as their slice allows.

    jax.make_mesh refuses shapes that cut an axis of the slice's torus in two, as 32 x 8 over 16 x 16 chips do.
    """
    laid_out = mesh_utils.create_device_mesh(shape, devices, allow_split_physical_axes=True)
    return jax.sharding.Mesh(laid_out, AXES, axis_types=(jax.sharding.AxisType.Auto,) * len(AXES))
