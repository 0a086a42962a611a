"""Paths of object stores, `gs://bucket/run` and what else `etils.epath` knows: objects are put and fetched whole.

A store puts a single object whole or not at all. It has no folders to rename: a folder is whole when the one file that
is written last, and removed first, is there. What a library has to read or write as a file goes through a copy on the
local disk, for as long as that takes.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Container, Iterator
from typing import TYPE_CHECKING, cast

from procsup_jax.errors import UserError

if TYPE_CHECKING:
    from etils import epath

PathLike = str | os.PathLike[str]

# What etils.epath reads, and the package that each needs beside it.
_PACKAGES = {"gs": "gcsfs", "s3": "s3fs", "az": "adlfs", "hf": "huggingface_hub"}
_CHUNK = 1 << 20


def is_remote(path: PathLike) -> bool:
    """Say whether a path names something in an object store."""
    return "://" in os.fspath(path)


def path_of(text: PathLike) -> pathlib.Path:
    """Return a path, of an object store where it begins like one; all that follows takes either.

    Raises UserError for a store of another kind, and where the package that reads it is not installed.
    """
    if not is_remote(text):
        return pathlib.Path(text)
    return cast(pathlib.Path, _open(os.fspath(text)))


def check_local(name: str, path: PathLike) -> None:
    """Raise UserError, calling it `name`, for a path of an object store where only the local disk will do."""
    if is_remote(path):
        raise UserError(f"{name}={os.fspath(path)} lies in an object store, which is not used here; give a local path")


def put(local: pathlib.Path, target: PathLike) -> None:
    """Put a local file as one object in place of another, whole or not at all."""
    with local.open("rb") as source, _open(os.fspath(target)).open("wb") as object_:
        shutil.copyfileobj(source, object_, _CHUNK)


def put_folder(local: pathlib.Path, target: PathLike, last: str | None = None) -> None:
    """Put the files of a local folder in place of those of another, `last` of them last.

    Without one, readers may see some of the files.
    """
    into = _open(os.fspath(target))
    names = {path.relative_to(local).as_posix() for path in local.rglob("*") if path.is_file()}
    if last is not None:
        (into / last).unlink(missing_ok=True)
    for name in sorted(_names(into) - names):
        (into / name).unlink()
    for name in sorted(names, key=lambda name: (name == last, name)):
        put(local / name, into / name)


def put_newer(local: pathlib.Path, target: PathLike, since: float) -> None:
    """Put those files of a local folder that were written since a time, in seconds since the epoch."""
    into = _open(os.fspath(target))
    for path in sorted(local.rglob("*")):
        if path.is_file() and path.stat().st_mtime >= since:
            put(path, into / path.relative_to(local).as_posix())


def modified(path: pathlib.Path) -> float:
    """Return when a file was written last, in seconds since the epoch; 0 where a store does not say."""
    found = path.stat()
    return found.mtime if is_remote(path) else found.st_mtime_ns / 1e9  # type: ignore[attr-defined]


def size(path: pathlib.Path) -> int:
    """Return how many bytes a file has."""
    found = path.stat()
    return found.length if is_remote(path) else found.st_size  # type: ignore[attr-defined]


def stamp(path: pathlib.Path) -> object:
    """Return what tells a file that is there from one that was there before, None where a store does not say."""
    found = path.stat()
    if not is_remote(path):
        return found.st_size, found.st_mtime_ns, found.st_ino
    remotely = cast("epath.StatResult", found)
    return (remotely.length, remotely.mtime) if remotely.mtime else None


@contextlib.contextmanager
def fetched(path: PathLike, but: Container[str] = ()) -> Iterator[pathlib.Path]:
    """Give a local copy of a file, or of a folder's files `but` some, that goes when the block ends.

    A local path is itself.
    """
    if not is_remote(path):
        yield pathlib.Path(path)
        return
    source = _open(os.fspath(path))
    with tempfile.TemporaryDirectory(prefix="procsup_") as folder:
        local = pathlib.Path(folder) / source.name
        if source.is_dir():
            local.mkdir()
            for name in _names(source):
                if name not in but:
                    (local / name).parent.mkdir(parents=True, exist_ok=True)
                    _fetch(source / name, local / name)
        else:
            _fetch(source, local)
        yield local


def scratch(path: PathLike) -> pathlib.Path:
    """Return the local folder that stands for a remote one while what is in it changes; the same on this machine."""
    if not is_remote(path):
        return pathlib.Path(path)
    digest = hashlib.sha256(os.fspath(path).encode()).hexdigest()[:16]
    return pathlib.Path.home() / ".cache" / "procsup_jax" / "scratch" / digest


def _open(path: str) -> epath.Path:
    scheme, _, rest = path.partition("://")
    if scheme not in _PACKAGES:
        known = ", ".join(f"{each}://" for each in _PACKAGES)
        raise UserError(f"{path}: {scheme}:// is no store that procsup reads; expected {known} or a local path")
    from etils import epath  # with fsspec behind it, only where it is needed

    _reach(scheme, rest.partition("/")[0])
    return epath.Path(path)


@functools.cache
def _reach(scheme: str, bucket: str) -> None:
    """Raise UserError where a bucket's package is not installed or does not get as far as asking for it."""
    from etils import epath

    path = f"{scheme}://{bucket}"
    try:
        epath.Path(path).exists()
    except ImportError as error:
        package = _PACKAGES[scheme]
        raise UserError(f"{path} needs the package {package} ({error}); pip install {package}") from error
    except OSError:
        pass  # it may not be listed; what is asked of it later says so
    except Exception as error:  # each package has its own for credentials that it does not find
        raise UserError(f"cannot reach {path}: {type(error).__name__}: {error}; check the credentials") from error


def _fetch(source: epath.Path, local: pathlib.Path) -> None:
    with source.open("rb") as object_, local.open("wb") as target:
        shutil.copyfileobj(object_, target, _CHUNK)


def _names(folder: epath.Path) -> set[str]:
    """Return the names of the files in a folder and those within it."""
    if not folder.is_dir():
        return set()
    found = set()
    for each in folder.iterdir():
        found |= {f"{each.name}/{name}" for name in _names(each)} if each.is_dir() else {each.name}
    return found
