"""Files that are whole or absent: written under a temporary name, flushed to the disk, then renamed.

In an object store (`remote`) one object is put, which is whole or absent too, and a folder's last file comes last.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import pathlib
import tempfile
from collections.abc import Iterator
from typing import IO, Any

from procsup_jax import remote, temporaries
from procsup_jax.errors import UserError

PathLike = remote.PathLike


@contextlib.contextmanager
def explain_os_errors(path: PathLike, doing: str = "write") -> Iterator[None]:
    """Turn an OSError met while `doing` something to `path` into a UserError of one line with the remedy."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot {doing} {os.fspath(path)}: {_remedy(error)}") from error


# What stores raise carries no number.
_ERRNO_OF = {
    FileNotFoundError: errno.ENOENT,
    PermissionError: errno.EACCES,
    IsADirectoryError: errno.EISDIR,
    NotADirectoryError: errno.ENOTDIR,
}


def _remedy(error: OSError) -> str:
    number = error.errno or next((number for kind, number in _ERRNO_OF.items() if isinstance(error, kind)), 0)
    match number:
        case errno.ENOSPC | errno.EDQUOT:
            return "the disk is full; free some space or choose another folder, then run the same command again"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return "no permission; choose a folder you may write to"
        case errno.ENOENT:
            return "no such file or folder; check the path"
        case errno.EISDIR:
            return "it is a folder; give a file"
        case errno.ENOTDIR | errno.EEXIST:
            return f"{os.strerror(number).lower()}; choose another name"
        case _:
            return error.strerror or str(error)


def raise_full_disk(error: Exception) -> None:
    """Raise OSError where a library reports a full disk, or quota, in words of its own."""
    for number in (errno.ENOSPC, errno.EDQUOT):
        if os.strerror(number) in str(error):
            raise OSError(number, os.strerror(number)) from error


def make_folder(path: PathLike) -> None:
    """Make a folder and those above it unless they are there; raises UserError where that cannot be."""
    if remote.is_remote(path):
        return  # a store has none
    folder = pathlib.Path(path)
    with explain_os_errors(folder):
        if folder.is_symlink() and not folder.exists():
            raise UserError(
                f"{folder} is a link to {folder.readlink()}, which is absent; make that folder or remove it"
            )
        folder.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def atomic_writer(path: PathLike, mode: str = "w") -> Iterator[IO[Any]]:
    """Open `path` for writing (`mode` "w", UTF-8 text, or "wb"); it appears under its name only when the block ends.

    If the block raises, whatever stood at `path` stays as it was. Missing parent folders are made. An OSError, such
    as a full disk, becomes a UserError. A symbolic link stays one: its target is replaced. Devices and pipes, such as
    /dev/stdout, are written to as they are.
    """
    if mode not in ("w", "wb"):
        raise ValueError(f'mode is {mode!r}, expected "w" or "wb"')
    if remote.is_remote(path):
        with whole_file(path) as local, _open_handle(os.open(local, os.O_WRONLY), mode) as file:
            yield file
        return
    target = pathlib.Path(path)
    if is_stream(target):
        with explain_os_errors(target), _open_handle(os.open(target, os.O_WRONLY), mode) as file:
            yield file
        return
    with explain_os_errors(target):
        target = target.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        temporaries.sweep(target.parent, target.name)
        handle, temporary = temporaries.new_file(target)
        try:
            with _open_handle(handle, mode) as file:
                yield file
                file.flush()
                os.fchmod(file.fileno(), 0o666 & ~umask())
                os.fsync(file.fileno())
                temporary.replace(target)  # while the handle is open, nobody else may sweep the temporary
            sync_folder(target.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def whole_file(path: PathLike) -> Iterator[pathlib.Path]:
    """Give a path for a library to write a file to; it replaces `path` when the block ends, and never if it raises.

    The library flushes it to the disk.
    """
    if remote.is_remote(path):
        with explain_os_errors(path), tempfile.NamedTemporaryFile(prefix="procsup_") as copy:
            yield pathlib.Path(copy.name)
            remote.put(pathlib.Path(copy.name), path)
        return
    target = pathlib.Path(path)
    with explain_os_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporaries.sweep(target.parent, target.name)
        handle, temporary = temporaries.new_file(target)
        try:
            yield temporary
            temporary.replace(target)
            sync_folder(target.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)


@contextlib.contextmanager
def whole_folder(path: PathLike, last: str | None = None) -> Iterator[pathlib.Path]:
    """Give an empty folder to fill; it replaces what stands at `path` when the block ends, and never if it raises.

    In an object store it is whole when the file called `last` is there. Elsewhere, for an instant, nothing stands at
    `path`; `temporaries.settle`, which readers and the next writer call, ends a replacement whose process was killed
    then.
    """
    if remote.is_remote(path):
        with explain_os_errors(path), tempfile.TemporaryDirectory(prefix="procsup_") as copy:
            yield pathlib.Path(copy)
            remote.put_folder(pathlib.Path(copy), path, last)
        return
    target = pathlib.Path(path)
    with explain_os_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and not target.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        temporaries.sweep(target.parent, target.name)
        handle, aside = temporaries.new_folder(target)
        try:
            new = aside / temporaries.NEW
            new.mkdir()
            yield new
            if target.exists():
                target.rename(aside / temporaries.OLD)
            new.rename(target)
            sync_folder(target.parent)
        finally:
            try:
                temporaries.end_replacing(aside, target)
            finally:
                os.close(handle)


def is_stream(path: PathLike) -> bool:
    """Return whether a path names a device or pipe; /dev/stdout may lead to a regular file that must not be renamed."""
    if remote.is_remote(path):
        return False
    path = pathlib.Path(path)
    return path.exists() and not path.is_dir() and (path.parent == pathlib.Path("/dev") or not path.is_file())


def _open_handle(handle: int, mode: str) -> IO[Any]:
    return os.fdopen(handle, "wb") if mode == "wb" else os.fdopen(handle, "w", encoding="utf-8", newline="\n")


def umask() -> int:
    """Return the permissions that this process takes away from new files."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sync_folder(path: PathLike) -> None:
    """Flush a folder's entries to the disk, so that a rename survives a power cut (where the system can)."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_text(path: PathLike, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_writer(path) as file:
        file.write(text)


def write_bytes(path: PathLike, content: bytes) -> None:
    """Write bytes atomically."""
    with atomic_writer(path, "wb") as file:
        file.write(content)


def sha256_file(path: PathLike) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits."""
    with explain_os_errors(path, "read"), remote.path_of(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
