"""What started this process as one of several: imports nothing that takes time, and no jax."""

from __future__ import annotations

import importlib.util
import pathlib
from collections.abc import Mapping, Sequence

# What a process exits with when another one of the job is lost: EX_TEMPFAIL of sysexits.h, "try again".
LOST = 75


def are_several(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Return whether a command's arguments or its environment make it one process of several."""
    return any(each.startswith("--coordinator=") for each in arguments) or of(environment) is not None


def of(environment: Mapping[str, str]) -> str | None:
    """Return what started this process as one of several, as far as that can be seen: a name, or None."""

    def several(name: str) -> bool:
        return environment.get(name, "").isdecimal() and int(environment[name]) > 1

    if several("SLURM_STEP_NUM_TASKS"):
        return "Slurm"
    if several("OMPI_COMM_WORLD_SIZE"):
        return "Open MPI"
    if "," in environment.get("TPU_WORKER_HOSTNAMES", "") or several("MEGASCALE_NUM_SLICES"):
        return "TPU"
    if importlib.util.find_spec("libtpu") is not None and _has_tpu():
        return "TPU"
    if "KUBERNETES_SERVICE_HOST" in environment and "JOB_COMPLETION_INDEX" in environment:
        return "Kubernetes"
    return None


def _has_tpu() -> bool:
    dev = pathlib.Path("/dev")
    return any(dev.glob("accel*")) or any(dev.glob("vfio/[0-9]*"))
