"""Metrics of a run: JSON lines for programs, TensorBoard for people."""

from __future__ import annotations

import contextlib
import json
import pathlib
import socket
import time
from collections.abc import Mapping
from types import TracebackType
from typing import IO, Self

from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.record_writer import RecordWriter
from tensorboardX.summary import scalar

from procsup_jax import files
from procsup_jax.errors import UserError

Record = dict[str, float]


class MetricsWriter:
    """Append metrics to `folder`: `metrics.jsonl`, `timing.jsonl` and TensorBoard's event files.

    `metrics.jsonl` holds what the run's inputs determine, so that equal runs give equal bytes; what the clock
    determines goes to `timing.jsonl`. A run that goes on from `resume_step` keeps the lines up to that step and drops
    later ones. `history` is what `metrics.jsonl` holds. `folder` None keeps the history in memory only. Raises
    UserError, also when it is closed, where something cannot be written, as on a full disk.
    """

    def __init__(self, folder: files.PathLike | None, *, resume_step: int = 0) -> None:
        self.history: list[Record] = []
        self._files: dict[str, IO[str]] = {}
        self._board: _EventFile | None = None
        if folder is None:
            return
        folder = pathlib.Path(folder)
        with files.explain_os_errors(folder):
            for name in ("metrics", "timing"):
                path = folder / f"{name}.jsonl"
                records = _read_until(path, resume_step)
                files.write_text(path, "".join(map(_line, records)))
                self._files[name] = path.open("a", encoding="utf-8", newline="\n")
                if name == "metrics":
                    self.history = records
            self._board = _EventFile(folder / "tensorboard", resume_step + 1)

    def write(self, step: int, metrics: Mapping[str, float], timing: Mapping[str, float] | None = None) -> None:
        """Append one line for `step`."""
        self._append("metrics", {"step": step, **metrics})
        self.history.append({"step": step, **metrics})
        if timing:
            self._append("timing", {"step": step, **timing})
        if self._board is not None:
            for name, value in {**metrics, **(timing or {})}.items():
                self._board.add(name, value, step)

    def flush(self) -> None:
        """Push what was written to the operating system."""
        for file in self._files.values():
            file.flush()
        if self._board is not None:
            self._board.flush()

    def close(self) -> None:
        """Flush and close everything."""
        with contextlib.ExitStack() as stack:
            for file in self._files.values():
                stack.enter_context(files.explain_os_errors(file.name))
                stack.callback(file.close)
            if self._board is not None:
                stack.callback(self._board.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
            return
        with contextlib.suppress(UserError):  # the first error is the one to be heard
            self.close()

    def _append(self, name: str, record: Record) -> None:
        if name in self._files:
            with files.explain_os_errors(self._files[name].name):
                self._files[name].write(_line(record))
                self._files[name].flush()


class _EventFile:
    """Write TensorBoard's event file, `purge_step` and what is behind it being void in those before.

    In this thread: that of tensorboardX's SummaryWriter dies of a full disk, and then blocks whoever writes to it.
    """

    def __init__(self, folder: pathlib.Path, purge_step: int) -> None:
        self._folder = folder
        with files.explain_os_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._records = RecordWriter(str(folder / f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}"))
        self._write(Event(file_version="brain.Event:2"))
        self._write(Event(step=purge_step, session_log=SessionLog(status=SessionLog.START)))

    def add(self, name: str, value: float, step: int) -> None:
        self._write(Event(step=step, summary=scalar(name, value)))

    def flush(self) -> None:
        with files.explain_os_errors(self._folder):
            self._records.flush()

    def close(self) -> None:
        with files.explain_os_errors(self._folder):
            self._records.close()

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        with files.explain_os_errors(self._folder):
            self._records.write(event.SerializeToString())


def _line(record: Record) -> str:
    return json.dumps(record) + "\n"


def _read_until(path: pathlib.Path, step: int) -> list[Record]:
    """Read the records up to `step`; a line cut short by a crash can only be the last one and is dropped."""
    records = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            break
        if record["step"] <= step:
            records.append(record)
    return records
