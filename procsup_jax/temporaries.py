"""Temporary files and folders, `.NAME.XXXXXXXX.tmp` beside what they become, and the sweeping of abandoned ones.

Whoever writes one claims it: a file by a lock on itself, a folder by one on the file `lock` in it. The lock goes with
the process, so that what nobody claims was left by one that was killed.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import tempfile

from procsup_jax import claims

NEW, OLD, LOCK = "new", "old", "lock"
_NAME = re.compile(r"\.(?P<target>.+)\.[a-z0-9_]{8}\.tmp", re.DOTALL)


def new_file(target: pathlib.Path) -> tuple[int, pathlib.Path]:
    """Make the temporary file of a target; return its handle, whose closing ends the claim, and its path."""
    while True:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
        claims.claim(handle)
        if os.fstat(handle).st_nlink:  # it may have been swept before it was claimed
            return handle, pathlib.Path(name)
        os.close(handle)


def new_folder(target: pathlib.Path) -> tuple[int, pathlib.Path]:
    """Make the temporary folder of a target; return the handle whose closing ends the claim, and its path."""
    while True:
        folder = pathlib.Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent))
        with contextlib.suppress(FileNotFoundError):  # as in `new_file`
            handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            claims.claim(handle)
            if os.fstat(handle).st_nlink:
                return handle, folder
            os.close(handle)


def sweep(folder: pathlib.Path, name: str | None = None) -> None:
    """Remove the abandoned temporaries in a folder, those of the target `name` alone where one is given.

    What another process claims, or may claim on a file system without locks, stays; so does what cannot be removed.
    """
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(folder)):
            found = _NAME.fullmatch(entry.name)
            if found and name in (None, found["target"]):
                with contextlib.suppress(OSError):
                    _remove(pathlib.Path(entry.path), folder / found["target"])


def sweep_all(folder: pathlib.Path) -> None:
    """Remove the abandoned temporaries in a folder and in those within it; links are not followed."""
    for each, _, _ in os.walk(folder):
        sweep(pathlib.Path(each))


def settle(target: pathlib.Path) -> None:
    """End the replacing of a folder whose process was killed when the old one was gone and the new one not there."""
    if not os.path.lexists(target):
        sweep(target.parent, target.name)


def end_replacing(aside: pathlib.Path, target: pathlib.Path) -> None:
    """Remove a temporary folder; if the target went into it and nothing came out, the new one, or else the old, does.

    Raises OSError where that cannot be, and removes nothing then.
    """
    if (aside / OLD).exists() and not target.exists():
        (aside / NEW if (aside / NEW).exists() else aside / OLD).rename(target)
    shutil.rmtree(aside, ignore_errors=True)


def _remove(path: pathlib.Path, target: pathlib.Path) -> None:
    is_folder = path.is_dir() and not path.is_symlink()
    claimed, flags = (path / LOCK, os.O_CREAT) if is_folder else (path, 0)
    handle = os.open(claimed, os.O_RDWR | os.O_NOFOLLOW | flags, 0o600)
    try:
        if not claims.claim(handle):
            return
        if is_folder:
            end_replacing(path, target)
        else:
            path.unlink()
    finally:
        os.close(handle)
