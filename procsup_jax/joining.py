"""How the processes of one job find each other, and how an error of one of them ends them all.

JAX's distributed service joins them. On a TPU slice, in a Slurm step, under Open MPI and in an indexed Kubernetes job
it finds out by itself who they are; elsewhere three flags tell it, the same in every process but for the number.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import json
import os
import pathlib
import sys
import threading
import time
from typing import Any, NoReturn

from procsup_jax import signals, surroundings
from procsup_jax.errors import UserError
from procsup_jax.flags import Flags, flag
from procsup_jax.processes import Lost, are_joined, count, index, is_first, service
from procsup_jax.progress import Progress
from procsup_jax.ranges import Size

# How long the first of them is waited for, and how long a process may say nothing before it counts as lost.
JOIN_S, SILENT_S = 300, 30
# How long one that fails waits for the first to say why, and the first for the others to hear it, who ask so often.
_HEAR_S, _HEARD_S, _ASK_S = 5.0, 2.0, 0.5

_ENDED = "procsup/ended"
# What the libraries that carry arrays between processes say when one of these is gone.
_GONE = ("Gloo", "NCCL", "closed by peer", "reset by peer", "coordination service")
_is_over = threading.Event()


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
        if not who and "coordinator_address should be defined" in str(error):
            return  # a machine with a TPU that is no part of a slice
        where = who.get("coordinator_address", "the one that the surroundings name")
        raise UserError(
            f"cannot join the other processes at {where} within {JOIN_S} s ({' '.join(str(error).split())[:200]}): "
            "start the job in all of them at about the same time, process 0's host and port reachable from each"
        ) from error
    if count() == 1:
        return
    signals.tell_first(_tell_of_a_signal)
    asking = threading.Thread(target=_end_with_another, name="ended", daemon=True)
    asking.start()
    atexit.register(_stop_asking, asking)
    if is_first():
        print(
            f"procsup: {count()} processes with {jax.device_count()} devices have joined", file=sys.stderr, flush=True
        )
    else:
        Progress.is_shown = False
        sys.stdout = pathlib.Path(os.devnull).open("w")  # noqa: SIM115 - until the process ends


def lost_by(error: Exception) -> Lost | None:
    """Return what an error in a computation of several processes means where another of them is gone, else None."""
    said = " ".join(str(error).split())
    if not are_joined() or not any(each in said for each in _GONE):
        return None
    return Lost(
        f"process {index()} of {count()} has lost another one ({said[:200]}); see what that one said, then start the "
        "same command in all of them again: it goes on from what is finished"
    )


def end(code: int, said: str) -> NoReturn:
    """End this process, one of several, with an error's code and what it says; all the others end within seconds.

    What the first one says, they do not say again: an error that all of them meet is said once. The others end with the
    same code, or where this process was only stopped with that of a lost one.
    """
    if is_first():
        _is_over.set()
    else:
        time.sleep(_HEAR_S)  # in which `_end_with_another` ends this process, if the first has met an error too
    print(said, file=sys.stderr, flush=True)
    _tell_of_the_end(code, said)
    if is_first():
        time.sleep(_HEARD_S)  # the service is in this process, and goes with it
    _leave(code)


def _tell_of_the_end(code: int, said: str) -> None:
    import jax

    with contextlib.suppress(jax.errors.JaxRuntimeError):  # another one was faster, or the first is gone
        service().key_value_set(_ENDED, json.dumps({"process": index(), "code": code, "said": said}))


def _tell_of_a_signal(number: int) -> None:
    """Tell the others, if they are still there, of a signal that ends this process whatever comes of it."""
    with contextlib.suppress(Exception):
        _tell_of_the_end(signals.exit_code(number), signals.STOPPED)
        time.sleep(_HEARD_S)  # what this process carries to the others breaks off when it ends


def _end_with_another() -> None:
    """Ask until another process tells of its end, and end this one then, whatever it does.

    Asking and waiting take turns: a thread that JAX's code holds when Python ends would abort the process.
    """
    import jax

    while True:
        if _is_over.wait(_ASK_S):
            return
        try:
            ended = json.loads(service().key_value_try_get(_ENDED))
            break
        except jax.errors.JaxRuntimeError as error:
            if "NOT_FOUND" not in str(error):
                return  # the service is gone, which ends this process otherwise
    if ended["process"] == index():
        return
    what = f", and said: {ended['said']}" if is_first() else "; what it said tells why"
    print(f"procsup: process {ended['process']} of {count()} has ended{what}", file=sys.stderr, flush=True)
    if is_first():
        time.sleep(_HEARD_S)
    _leave(ended["code"] if ended["code"] in (1, UserError.exit_code) else surroundings.LOST)


def _leave(code: int) -> NoReturn:
    """End at once: what runs at Python's end waits for the other processes."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    os._exit(code)


def _stop_asking(thread: threading.Thread) -> None:
    _is_over.set()
    thread.join()
