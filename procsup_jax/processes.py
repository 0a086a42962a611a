"""Several processes that do one job together: how they find each other, wait for each other, and share the work.

JAX's distributed service joins them. On a TPU slice, in a Slurm step, under Open MPI and in an indexed Kubernetes job
it finds out by itself who they are; elsewhere three flags tell it, the same in every process but for the number.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import Any, TypeVar

from procsup_jax import surroundings
from procsup_jax.errors import UserError
from procsup_jax.flags import Flags, flag
from procsup_jax.progress import Progress
from procsup_jax.ranges import Size

Item = TypeVar("Item")

# How long the first of them is waited for, and how long a process may say nothing before it counts as lost.
JOIN_S, SILENT_S = 300, 30
# How long a process that is done waits for the others, who may have more to do.
WAIT_S = 3600.0


class Lost(UserError):
    """Report that another process of the job is gone; the same command, in all of them, goes on."""

    exit_code = surroundings.LOST


@dataclasses.dataclass(frozen=True)
class ProcessFlags(Flags):
    """Hold the flags that tell a process of several which one it is."""

    coordinator: str = flag("several processes: HOST:PORT of process 0, where the others find it", "")
    num_processes: Size = flag("how many processes do this job together", 0)
    process_id: int = flag("which of them this is, from 0", -1)

    def join(self) -> None:
        """Join the other processes, if there are any; to be called before anything is computed.

        Raises UserError for flags that do not say which process this is, and when the others cannot be reached.
        """
        given = self.coordinator, self.num_processes, self.process_id
        if given == ("", 0, -1):
            if surroundings.of(os.environ) is not None:
                _join()
            return
        host, colon, port = self.coordinator.rpartition(":")
        if not (host and colon and port.isdecimal() and 0 < int(port) < 65536):
            raise UserError(
                f"--coordinator={self.coordinator}: expected HOST:PORT of process 0, such as 10.0.0.2:8476, beside "
                "--num_processes and --process_id"
            )
        if not 0 <= self.process_id < self.num_processes:
            raise UserError(
                f"--process_id={self.process_id}: expected a number from 0 to {max(self.num_processes - 1, 0)}, as "
                f"--num_processes={self.num_processes}; give each process its own"
            )
        _join(coordinator_address=self.coordinator, num_processes=self.num_processes, process_id=self.process_id)


def _join(**who: Any) -> None:
    import jax

    try:
        jax.distributed.initialize(**who, initialization_timeout=JOIN_S, heartbeat_timeout_seconds=SILENT_S)
    except (RuntimeError, ValueError) as error:
        where = who.get("coordinator_address", "the one that the surroundings name")
        raise UserError(
            f"cannot join the other processes at {where} within {JOIN_S} s ({' '.join(str(error).split())[:200]}): "
            "start the job in all of them at about the same time, process 0's host and port reachable from each"
        ) from error
    if is_first() and count() > 1:
        print(
            f"procsup: {count()} processes with {jax.device_count()} devices have joined", file=sys.stderr, flush=True
        )
    if not is_first():
        Progress.is_shown = False
        sys.stdout = pathlib.Path(os.devnull).open("w")  # noqa: SIM115 - until the process ends


def count() -> int:
    """Return how many processes do this job."""
    import jax

    return jax.process_count()


def index() -> int:
    """Return which of them this is; the one with number 0 writes what all have in common."""
    import jax

    return jax.process_index()


def is_first() -> bool:
    """Return whether this is process 0, or the only one."""
    return index() == 0


def share(items: Sequence[Item]) -> list[Item]:
    """Return this process's share of a job's items: every n-th, so that long and short ones mix."""
    return list(items[index() :: count()])


def wait(name: str, seconds: float = WAIT_S) -> None:
    """Return when every process has come here; all must call, in the same order.

    Raises `Lost`, with the name of the place, when one does not come in time or is gone.
    """
    if count() == 1:
        return
    import jax
    from orbax.checkpoint import multihost

    try:
        multihost.get_barrier_sync_fn()(key=name, timeout_ms=round(1000 * seconds))
    except jax.errors.JaxRuntimeError as error:
        raise Lost(
            f"process {index()} of {count()} waited up to {seconds:.0f} s for the others at {name!r}, and not all "
            "came; see what they said, then start the same command in all of them again: it goes on from there"
        ) from error
