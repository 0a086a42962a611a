"""What has to stand where a flag points, looked at before a job starts: seconds before it would be missed."""

from __future__ import annotations

import difflib
import os
import pathlib
from typing import Literal

from procsup_jax import remote, temporaries
from procsup_jax.errors import UserError

Read = Literal["file", "folder", "path", "model", "named file"]
"""A "path" is a file or a folder; a "model" a folder that holds one, or the name of one that ships with the package; a
"named file" stands behind NAME=."""
Written = Literal["file", "folder"]

SHIPPED_BASE = "worlds_base"
SHIPPED_MODELS = pathlib.Path(__file__).parent / "pretrained"
MODEL_HEADER, MODEL_PARAMS = "model.json", "params.safetensors"


def check_read(flag: str, value: str | pathlib.Path, place: Read) -> None:
    """Raise UserError unless what `--flag=value` names is there, of this kind, and may be read."""
    if place == "named file":
        path = pathlib.Path(str(value).partition("=")[2])
        if not str(value).partition("=")[2]:
            return  # no NAME=FILE at all: the job says what it expects
    else:
        path = pathlib.Path(value)
    if place == "model" and (SHIPPED_MODELS / path / MODEL_HEADER).is_file() and len(path.parts) == 1:
        return
    given = f"--{flag}={value}"
    if remote.is_remote(value):
        _check_remote(given, remote.path_of(value if place != "named file" else str(value).partition("=")[2]), place)
        return
    if place == "model":
        temporaries.settle(path)
    if not path.exists():
        wanted = {"model": "folder", "path": "file or folder", "named file": "file"}.get(place, place)
        raise UserError(f"{given}: no such {wanted}{_nearest(path)}")
    if place in ("file", "named file") and path.is_dir():
        raise UserError(f"{given} is a folder, expected a file{_inside(path)}")
    if place in ("folder", "model") and not path.is_dir():
        raise UserError(f"{given} is a file, expected a folder")
    if not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)):
        raise UserError(f"{given} may not be read; change its permissions, or choose another")
    if place == "model" and not (path / MODEL_HEADER).is_file():
        raise UserError(
            f"{given} holds no {MODEL_HEADER}; expected a model's folder, as procsup train writes it and "
            f"procsup convert --input={path} --to=procsup makes it of other systems' models"
        )


def _check_remote(given: str, path: pathlib.Path, place: Read) -> None:
    if place == "path":
        raise UserError(f"{given} lies in an object store, which is not read here; copy it, and give a local path")
    wanted = {"model": path / MODEL_HEADER}.get(place, path)
    if not wanted.exists():
        raise UserError(f"{given}: there is no {wanted}; check the path")


def check_written(flag: str, value: pathlib.Path, place: Written) -> None:
    """Raise UserError where `--flag=value` could not be written: a job makes missing folders on the way to it."""
    if remote.is_remote(value):
        return  # its bucket says so when it is written to
    given = f"--{flag}={value}"
    if place == "file" and value.is_dir():
        raise UserError(f"{given} is a folder, expected a file to write, such as {value / (flag + '.jsonl')}")
    if place == "folder" and value.exists() and not value.is_dir():
        raise UserError(f"{given} is a file, expected a folder to write; choose another name")
    if value.exists() and not value.is_file() and not value.is_dir():
        return  # a device or a pipe
    above = value.absolute().parent
    while not above.exists() and above != above.parent:
        above = above.parent
    if not above.is_dir():
        raise UserError(f"{given}: {above} is a file, not a folder; choose another name")
    if not os.access(above, os.W_OK | os.X_OK):
        raise UserError(f"{given}: {above} may not be written to; choose another folder")


def _nearest(path: pathlib.Path) -> str:
    """Return a hint: the nearest name that exists in the same folder, or the part of the path that ends it."""
    parent = path.parent
    if not parent.is_dir():
        return f"; there is no folder {parent}"
    try:
        near = difflib.get_close_matches(path.name, [each.name for each in parent.iterdir()], n=1, cutoff=0.7)
    except OSError:
        near = []
    return f"; did you mean {parent / near[0]}?" if near else "; check the path"


def _inside(path: pathlib.Path) -> str:
    """Return a hint where a folder holds one file that may be meant."""
    found = sorted(path.glob("*.jsonl")) if os.access(path, os.R_OK) else []
    return f", such as {found[0]}" if found else ""
