"""The device mesh: how it is made."""

from __future__ import annotations

from collections.abc import Sequence

import jax
from jax.experimental import mesh_utils

from procsup_jax.errors import UserError
from procsup_jax.parallel.settings import AXES, MeshSettings


def mesh_or_none(settings: MeshSettings) -> jax.sharding.Mesh | None:
    """Make the mesh, None where the settings are those of a single device; errors as for `make_mesh`.

    Several processes train over one mesh: raises UserError too where a device of theirs is not in it.
    """
    mesh = None if _is_single(settings) else make_mesh(settings)
    used = 1 if mesh is None else mesh.size
    if jax.process_count() > 1 and used != jax.device_count():
        raise UserError(
            f"mesh {_asked(settings)} has {used} devices, and {jax.process_count()} processes have "
            f"{jax.device_count()}, all of which train together: set one axis to -1"
        )
    return mesh


def local_mesh_or_none(settings: MeshSettings) -> jax.sharding.Mesh | None:
    """Make a mesh of this process's own devices, for what each process does by itself; else as `mesh_or_none`."""
    return None if _is_single(settings) else make_mesh(settings, jax.local_devices())


def make_mesh(settings: MeshSettings, devices: Sequence[jax.Device] | None = None) -> jax.sharding.Mesh:
    """Make a mesh with axes data, fsdp, tensor over the first of some devices, without any of all there are.

    Raises UserError when the axes ask for more devices than there are, or when -1 cannot be resolved.
    """
    devices = jax.devices() if devices is None else devices
    available = len(devices)
    shape = [settings.data, settings.fsdp, settings.tensor]
    asked = _asked(settings)
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
    return mesh_over(shape, devices[:needed])


def mesh_over(shape: Sequence[int], devices: Sequence[jax.Device]) -> jax.sharding.Mesh:
    """Lay a mesh of this shape over devices, as near each other as their slice allows.

    jax.make_mesh refuses shapes that cut an axis of the slice's torus in two, as 32 x 8 over 16 x 16 chips do.
    """
    laid_out = mesh_utils.create_device_mesh(shape, devices, allow_split_physical_axes=True)
    return jax.sharding.Mesh(laid_out, AXES, axis_types=(jax.sharding.AxisType.Auto,) * len(AXES))


def _is_single(settings: MeshSettings) -> bool:
    return (settings.data, settings.fsdp, settings.tensor) == (1, 1, 1)


def _asked(settings: MeshSettings) -> str:
    return " x ".join(f"{axis}={getattr(settings, axis)}" for axis in AXES)
