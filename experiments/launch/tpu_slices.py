"""TPU slices by name: v5e-16, v5p-128, v6e:16x16. Plain Python, without xmanager.

The number in a name counts chips for v5e and v6e, and TensorCores, two a chip, for v2 to v5p, as Google's names do.
Sizes and labels: https://cloud.google.com/kubernetes-engine/docs/concepts/plan-tpus, xpk's system_characteristics.py.
"""

from __future__ import annotations

import dataclasses
import math
import re


class LaunchError(ValueError):
    """A user's mistake: one line with the value, what was expected, and the fix."""


@dataclasses.dataclass(frozen=True)
class Generation:
    """What Google calls a generation of TPUs in its tools, and the shapes that its slices have by number of chips."""

    cores_per_chip: int
    topologies: dict[int, str]
    gke_accelerator: str = ""
    single_host_chips: int = 4  # the most chips that one host holds when it is the whole slice


_FLAT = {1: "1x1", 4: "2x2", 8: "2x4", 16: "4x4", 32: "4x8", 64: "8x8", 128: "8x16", 256: "16x16"}
_CUBES = {
    4: "2x2x1", 8: "2x2x2", 16: "2x2x4", 32: "2x4x4", 64: "4x4x4", 128: "4x4x8", 256: "4x8x8", 512: "8x8x8",
    1024: "8x8x16", 2048: "8x16x16",
}  # fmt: skip
_SQUARES = {4: "2x2", 16: "4x4", 64: "8x8", 128: "8x16", 256: "16x16"}
GENERATIONS = {
    "v2": Generation(2, _SQUARES),
    "v3": Generation(2, _SQUARES),
    "v4": Generation(2, _CUBES, "tpu-v4-podslice"),
    "v5e": Generation(1, _FLAT, "tpu-v5-lite-podslice", single_host_chips=8),
    "v5p": Generation(2, _CUBES, "tpu-v5p-slice"),
    "v6e": Generation(1, _FLAT, "tpu-v6e-slice", single_host_chips=8),
}
_ALIASES = {"v5litepod": "v5e", "v5lite": "v5e"}
_CHIPS_PER_HOST = 4


@dataclasses.dataclass(frozen=True)
class TpuSlice:
    """A slice: its generation (`v5e`) and the shape of its chips (`4x4`)."""

    generation: str
    topology: str

    @property
    def chips(self) -> int:
        """Return the number of chips."""
        return math.prod(int(size) for size in self.topology.split("x"))

    @property
    def cores(self) -> int:
        """Return the number of TensorCores, by which Google counts v2 to v5p."""
        return self.chips * GENERATIONS[self.generation].cores_per_chip

    @property
    def chips_per_host(self) -> int:
        """Return how many chips each of its hosts holds."""
        return self.chips if self.chips <= GENERATIONS[self.generation].single_host_chips else _CHIPS_PER_HOST

    @property
    def hosts(self) -> int:
        """Return the number of hosts, each of which runs one process."""
        return self.chips // self.chips_per_host

    @property
    def gke_accelerator(self) -> str:
        """Return the value of the node label cloud.google.com/gke-tpu-accelerator."""
        return GENERATIONS[self.generation].gke_accelerator


def parse(name: str) -> TpuSlice:
    """Return the slice of a name such as v5e-16, v5p-128, v5litepod-16 or v6e:16x16; raise LaunchError."""
    match = re.fullmatch(r"([a-z0-9]+)[-:](\d+(?:x\d+)*)", name)
    generation = _ALIASES.get(match[1], match[1]) if match else ""
    if generation not in GENERATIONS:
        raise LaunchError(f"--tpu={name} is no slice; expected such as v5e-16 or v5e:4x4, of {', '.join(GENERATIONS)}")
    kind, size = GENERATIONS[generation], match[2]
    if "x" in size:
        if size.count("x") != next(iter(kind.topologies.values())).count("x"):
            raise LaunchError(f"--tpu={name}: a slice of {generation} is such as {list(kind.topologies.values())[2]}")
        return TpuSlice(generation, size)
    chips = int(size) / kind.cores_per_chip
    if chips not in kind.topologies:
        names = [f"{generation}-{chips * kind.cores_per_chip}" for chips in kind.topologies]
        raise LaunchError(f"--tpu={name} is no size of {generation}; choose one of {', '.join(names)}, or name a shape")
    return TpuSlice(generation, kind.topologies[int(chips)])
