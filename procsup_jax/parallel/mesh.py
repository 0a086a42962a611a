"""The device mesh: how it is made."""

from __future__ import annotations

import math
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


def fit_mesh(settings: MeshSettings, num_rows: int) -> jax.sharding.Mesh | None:
    """Make the mesh that a fit with microbatches of `num_rows` rows runs over; errors as for `mesh_or_none`.

    Where several processes have no mesh set it has all their devices: as many along data as divide the rows, the others
    along tensor.
    """
    if jax.process_count() > 1 and _is_single(settings):
        data = math.gcd(jax.device_count(), num_rows)
        settings = MeshSettings(data=data, tensor=jax.device_count() // data)
    return mesh_or_none(settings)


def own_mesh(settings: MeshSettings) -> jax.sharding.Mesh | None:
    """Make this process's own part of the mesh of all processes, for what it does by itself; None for one device.

    It has all devices of the process: along tensor and fsdp as many as divide what the whole mesh has there, the others
    along data. For the only process it is the mesh; errors as for `mesh_or_none`.
    """
    if jax.process_count() == 1:
        return mesh_or_none(settings)
    wanted = dict.fromkeys(AXES, 1) if _is_single(settings) else make_mesh(settings).shape
    devices = jax.local_devices()
    tensor = math.gcd(len(devices), wanted["tensor"])
    fsdp = math.gcd(len(devices) // tensor, wanted["fsdp"])
    return mesh_over((len(devices) // (tensor * fsdp), fsdp, tensor), devices) if len(devices) > 1 else None


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
