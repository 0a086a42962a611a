"""Published peaks of TPU chips."""

from __future__ import annotations

import dataclasses

from procsup_jax.errors import UserError

GIB = 1 << 30


@dataclasses.dataclass(frozen=True)
class Chip:
    """Hold a generation's peaks: bfloat16 FLOP/s, memory in bytes and bytes/s, and bytes/s that a chip sends by ICI.

    The last one is of all its links together: what a collective along one axis of the slice reaches is less.
    """

    name: str
    flops: float
    memory: int
    memory_speed: float
    link_speed: float
    source: str

    def shared(self, cores: int) -> Chip:
        """Return the part of each of a chip's cores, where a program sees them as devices of their own."""
        per_s = {name: getattr(self, name) / cores for name in ("flops", "memory_speed", "link_speed")}
        return dataclasses.replace(self, memory=self.memory // cores, **per_s)


_DOCS = "https://cloud.google.com/tpu/docs/"

# Peaks as published in July 2025; link speeds are given in Gbit/s there.
CHIPS = {
    chip.name: chip
    for chip in (
        Chip("v4", 275e12, 32 * GIB, 1228e9, 2400e9 / 8, f"{_DOCS}v4"),
        Chip("v5e", 197e12, 16 * GIB, 819e9, 1600e9 / 8, f"{_DOCS}v5e"),
        Chip("v5p", 459e12, 95 * GIB, 2765e9, 4800e9 / 8, f"{_DOCS}v5p"),
        Chip("v6e", 918e12, 32 * GIB, 1640e9, 3584e9 / 8, f"{_DOCS}v6e"),
    )
}


def chip_of(topology: str) -> Chip:
    """Return the chip of a topology such as v5e:4x4; raise UserError for an unknown one."""
    name = topology.split(":", maxsplit=1)[0]
    if name not in CHIPS:
        raise UserError(f"topology {topology!r}: expected one of {', '.join(CHIPS)}, a colon and a shape, as v5e:4x4")
    return CHIPS[name]
