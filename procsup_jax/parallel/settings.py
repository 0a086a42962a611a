"""What a device mesh is asked to be; imports no jax."""

from __future__ import annotations

import dataclasses

from procsup_jax.errors import UserError
from procsup_jax.ranges import BadValue

AXES = ("data", "fsdp", "tensor")


@dataclasses.dataclass(frozen=True)
class MeshSettings:
    """Set how many devices each mesh axis spans. One of them may be -1: it takes the devices that the others leave."""

    data: int = 1
    """Devices that split the batch; -1 takes those that the other axes leave."""
    fsdp: int = 1
    """Devices that split the batch and shard the parameters; -1 as for data."""
    tensor: int = 1
    """Devices that split heads, hidden units and vocabulary; -1 as for data."""

    def __post_init__(self) -> None:
        sizes = (self.data, self.fsdp, self.tensor)
        for axis, size in zip(AXES, sizes, strict=True):
            if size < 1 and size != -1:
                raise BadValue(axis, size, "a positive number, or -1 for the remaining devices", "mesh axis")
        if sizes.count(-1) > 1:
            raise UserError(f"mesh data={self.data} fsdp={self.fsdp} tensor={self.tensor}: only one axis can be -1")
