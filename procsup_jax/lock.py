"""One process at a time in a folder that a run or a training writes to."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import pathlib
import shlex
import socket
import sys
import textwrap
import time
from collections.abc import Iterator
from typing import Any

from procsup_jax import claims, files, remote
from procsup_jax.errors import UserError

LOCK = ".lock"
_SHOWN_COMMAND = 200
# A holder that has just claimed the file needs a moment to say who it is.
_TRIES, _PAUSE_S = 10, 0.03

_held: set[pathlib.Path] = set()


@contextlib.contextmanager
def hold(folder: files.PathLike) -> Iterator[None]:
    """Be the only process that writes to `folder`, which is made, while the block runs.

    The lock is the operating system's, on the file `.lock`, and goes with the process however that ends. A folder that
    this process holds already, or that lies in one, is held. Raises UserError when another process holds it, saying
    which and since when, and when the folder cannot be written to. Where the file system has no locks, a warning is
    printed and the block runs; an object store has none.
    """
    if remote.is_remote(folder):
        _warn_of_no_locks(folder)
        yield
        return
    files.make_folder(folder)
    path = pathlib.Path(folder).resolve()
    if any(each in _held for each in (path, *path.parents)):
        yield
        return
    with files.explain_os_errors(folder):
        handle = _claimed(path / LOCK)
        _write_holder(handle)
    _held.add(path)
    try:
        yield
    finally:
        _held.discard(path)
        with contextlib.suppress(OSError):
            (path / LOCK).unlink()
        os.close(handle)


def check(folder: files.PathLike) -> None:
    """Raise UserError when another process holds a folder, which need not exist; nothing is made or held."""
    if remote.is_remote(folder):
        return
    path = pathlib.Path(folder).resolve()
    with contextlib.suppress(OSError):
        handle = os.open(path / LOCK, os.O_RDWR)
        try:
            if path not in _held and claims.claim(handle) is False:
                raise UserError(_in_use(path / LOCK))
        finally:
            os.close(handle)


def _claimed(path: pathlib.Path) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        claimed = claims.claim(handle)
        if claimed is False:
            os.close(handle)
            raise UserError(_in_use(path))
        if claimed is None:
            _warn_of_no_locks(path.parent)
        # The holder before may have removed the file after it was opened here: then another lies there, or none.
        if claimed is None or _is_at(handle, path):
            return handle
        os.close(handle)


def _warn_of_no_locks(folder: files.PathLike) -> None:
    print(
        f"procsup: warning: the file system of {os.fspath(folder)} has no locks: let no other process write there",
        file=sys.stderr,
    )


def _is_at(handle: int, path: pathlib.Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _write_holder(handle: int) -> None:
    command = [pathlib.Path(sys.argv[0]).name or "python", *sys.argv[1:]]
    holder = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "command": textwrap.shorten(shlex.join(command), _SHOWN_COMMAND, placeholder=" ..."),
        "since": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
    }
    os.ftruncate(handle, 0)
    os.write(handle, json.dumps(holder).encode() + b"\n")


def _in_use(path: pathlib.Path) -> str:
    for _ in range(_TRIES):
        try:
            holder = json.loads(path.read_text(encoding="utf-8"))
            if not _is_gone(holder):
                who = f"pid {holder['pid']} on {holder['host']} ({holder['command']}) since {holder['since']}"
                break
        except (OSError, ValueError, KeyError, TypeError):
            pass
        time.sleep(_PAUSE_S)
    else:
        who = "another process"
    return f"{path.parent} is in use by {who}; wait for it, stop it, or choose another folder"


def _is_gone(holder: dict[str, Any]) -> bool:
    """Return whether the process named has ended: then its successor has not written its own name yet."""
    if holder["host"] != socket.gethostname():
        return False
    try:
        os.kill(int(holder["pid"]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False
