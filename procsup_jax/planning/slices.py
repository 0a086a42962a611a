"""TPU slices that are not at hand: their devices, as the compiler knows them, and meshes of these."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from procsup_jax.errors import UserError
from procsup_jax.parallel.settings import AXES, MeshSettings
from procsup_jax.planning.chips import chip_of

# libtpu looks for the machine's own TPUs and for the cloud's account of them, unless it is told not to.
_OFFLINE = {
    "TPU_SKIP_MDS_QUERY": "1", "TPU_ACCELERATOR_TYPE": "v5litepod-4", "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_LIBRARY_PATH": "", "ALLOW_MULTIPLE_LIBTPU_LOAD": "1", "TPU_STDERR_LOG_LEVEL": "3", "TPU_MIN_LOG_LEVEL": "3",
}  # fmt: skip


def prepare() -> None:
    """Keep this process off real accelerators; call it before jax is imported.

    Raises UserError where libtpu, the compiler, is not installed.
    """
    if importlib.util.find_spec("libtpu") is None:
        raise UserError(
            "procsup plan compiles for TPUs with libtpu, which is not installed: pip install procsup_jax[tpu]"
        )
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"  # a program for devices that are not there can't be read again
    for name, value in _OFFLINE.items():
        if value:
            os.environ.setdefault(name, value)


def devices_of(topology: str) -> Any:
    """Return the description of a slice, such as v5e:4x4; raise UserError for one that does not exist."""
    chip_of(topology)
    from jax.experimental import topologies

    with _quiet():
        try:
            return topologies.get_topology_desc(topology, platform="tpu")
        except Exception as error:  # whatever libtpu and its bindings raise
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UserError(
                f"topology {topology!r} is none that libtpu knows ({reason}); such as v5e:4x4, v5p:2x2x4"
            ) from error


def num_chips(description: Any) -> int:
    """Return how many chips a slice has; a chip of two cores that compute apart has two devices."""
    return len({tuple(device.coords) for device in description.devices})


def mesh_of(description: Any, settings: MeshSettings) -> Any:
    """Return a mesh of all the devices of a slice, -1 resolved; raise UserError where the axes do not make as many."""
    from procsup_jax.parallel.mesh import mesh_over

    shape, devices = [settings.data, settings.fsdp, settings.tensor], len(description.devices)
    fixed = abs(int(np.prod(shape)))
    if -1 in shape and devices % fixed == 0:
        shape[shape.index(-1)] = devices // fixed
    if int(np.prod(shape)) != devices:
        asked = " x ".join(f"{axis}={size}" for axis, size in zip(AXES, shape, strict=True))
        raise UserError(f"mesh {asked}: the slice has {devices} devices; set axes whose product that is")
    return mesh_over(shape, list(description.devices))


def shapes_of(devices: int, batch_sizes: list[int]) -> list[MeshSettings]:
    """Return the meshes worth trying: parameters sharded over all that is not tensor parallel, tensor up to 16.

    A data axis of its own only copies what fsdp shards, so it stays 1. The batches have to divide.
    """
    found = []
    for tensor in itertools.takewhile(lambda size: size <= min(devices, 16), (2**i for i in itertools.count())):
        fsdp = devices // tensor
        if devices % tensor == 0 and all(size % fsdp == 0 for size in batch_sizes):
            found.append(MeshSettings(data=1, fsdp=fsdp, tensor=tensor))
    return found


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what libtpu writes to stderr when it finds no TPU from the user."""
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)
