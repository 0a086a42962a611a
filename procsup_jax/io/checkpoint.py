"""Checkpoints of training in progress (the only importer of orbax)."""

from __future__ import annotations

import contextlib
import errno
import gc
import hashlib
import itertools
import json
import logging
import os
import pathlib
import shutil
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

import jax
import orbax.checkpoint as ocp

from procsup_jax import files
from procsup_jax.errors import UserError
from procsup_jax.io.digest import tree_digest
from procsup_jax.mirror import Mirror

KEPT = 2
DAMAGED = "damaged"
# The JSON item of a checkpoint: the info with the digests; before there were any, the info alone.
_RECORD, _INFO = "record", "info"
_HOOK = "drop_late_complaints"
_PASSING = (errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE)

# What orbax logs of a failure, several times over and with tracebacks, it raises too.
logging.getLogger("absl").addFilter(lambda record: f"{os.sep}orbax{os.sep}" not in record.pathname)


class Damaged(Exception):
    """Say that a checkpoint, or what it refers to, no longer holds what was written."""


class Restored(NamedTuple):
    """Hold what a checkpoint held: its step, trees of arrays by name, and its JSON object."""

    step: int
    trees: dict[str, Any]
    info: dict[str, Any]


class Checkpoints:
    """Keep the two newest checkpoints of a fit in `folder`, each written aside and renamed when it is whole.

    A checkpoint holds trees of arrays by name, and a JSON object that is equal in all processes, each with its digest.
    Writing goes on in the background; `wait` or leaving the context ends it. `target` is where in an object store the
    folder above has its copy, with all else that a fit keeps there: what is whole is copied in the background when the
    next checkpoint is saved, and by `wait`; it is brought here where the checkpoints there are newer.
    """

    def __init__(self, folder: files.PathLike, target: files.PathLike | None = None) -> None:
        self.folder = pathlib.Path(folder).absolute()
        self._copy: Mirror | None = None
        if target is not None:
            if jax.process_count() > 1:
                raise UserError(
                    f"several processes keep no checkpoints in an object store ({target}): give a folder that all share"
                )
            self._copy = Mirror(self.folder.parent, target)
            self._copy.fetch(max(self._whole(), default=-1))
        options = ocp.CheckpointManagerOptions(
            preservation_policy=ocp.checkpoint_managers.LatestN(KEPT), cleanup_tmp_directories=True
        )
        files.make_folder(self.folder)
        _drop_late_complaints()
        with _explain_errors(self.folder):
            self._manager = ocp.CheckpointManager(self.folder, options=options)

    def latest_step(self) -> int | None:
        """Return the step of the newest checkpoint, None when there is none."""
        return self._manager.latest_step()

    def save(self, step: int, trees: Mapping[str, Any], info: Mapping[str, Any]) -> None:
        """Write a checkpoint unless this step's is there; the arrays may be donated as soon as this returns."""
        if self.latest_step() == step:
            return
        digests = {name: tree_digest(tree) for name, tree in trees.items()}
        record = {"info": dict(info), "trees": digests, "digest": _digest(info, digests)}
        items = {name: ocp.args.StandardSave(tree) for name, tree in trees.items()}
        with _explain_errors(self.folder):
            self._manager.save(step, args=ocp.args.Composite(**items, record=ocp.args.JsonSave(record)))
        self._copy_whole(Mirror.start)

    def restore(
        self, abstract: Mapping[str, Any], check: Callable[[dict[str, Any]], None] = lambda info: None
    ) -> Restored | None:
        """Return the newest checkpoint that holds what was written, by the shapes and shardings of `abstract`.

        `check` is given its JSON object before the arrays are read, and may raise UserError, or Damaged where something
        that the checkpoint refers to is. A damaged one is set aside in the folder `damaged` beside the checkpoints,
        with a warning; None when none is left.
        """
        steps: list[Any] = sorted(self._manager.all_steps(), reverse=True)
        for step, before in itertools.pairwise([*steps, None]):
            with _quiet():
                found = self._try(step, abstract, check)
                if isinstance(found, str):
                    gc.collect()  # what it abandoned complains when it is collected
            if isinstance(found, Restored):
                return found
            self._set_aside(step, found, before)
        return None

    def wait(self) -> None:
        """Return when everything saved is on the disk."""
        with _explain_errors(self.folder):
            self._manager.wait_until_finished()
        self._copy_whole(Mirror.put)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _explain_errors(self.folder):
            self._manager.close()
        if self._copy is not None:
            if error is not None:
                self._copy_whole(Mirror.start)
            self._copy.close()

    def _copy_whole(self, how: Callable[[Mirror, int, list[str]], None]) -> None:
        """Copy the whole checkpoints, and all that is kept beside them, temporaries apart, where there is a copy."""
        if self._copy is None or not (steps := self._whole()):
            return
        above = self.folder.parent
        own = [path for step in steps for path in (self.folder / str(step)).rglob("*")]
        beside = [path for path in above.rglob("[!.]*") if self.folder not in path.parents]
        how(self._copy, max(steps), [path.relative_to(above).as_posix() for path in (*own, *beside) if path.is_file()])

    def _whole(self) -> set[int]:
        """Return the steps of the checkpoints that are whole: orbax calls others otherwise."""
        return {int(each.name) for each in self.folder.glob("*") if each.name.isdecimal()}

    def _try(self, step: int, abstract: Mapping[str, Any], check: Callable[[dict[str, Any]], None]) -> Restored | str:
        """Return a checkpoint, or in which way it is damaged."""
        try:
            return self._read(step, abstract, check)
        except UserError:
            raise
        except Exception as error:  # damaged files make their readers raise anything
            reason = textwrap.shorten(str(error), 200, placeholder=" ...") or type(error).__name__
            if _is_passing(error):
                raise UserError(f"cannot read checkpoint {self.folder / str(step)}: {reason}") from error
            return reason

    def _read(self, step: int, abstract: Mapping[str, Any], check: Callable[[dict[str, Any]], None]) -> Restored:
        info, digests = self._read_record(step)
        check(info)
        items = {name: ocp.args.StandardRestore(tree) for name, tree in abstract.items()}
        found = self._manager.restore(step, args=ocp.args.Composite(**items))
        trees = {name: found[name] for name in abstract}
        for name, tree in trees.items():
            if digests is not None and tree_digest(tree) != digests.get(name):
                raise Damaged(f"its {name} holds other numbers than were written")
        return Restored(step, trees, info)

    def _read_record(self, step: int) -> tuple[dict[str, Any], dict[str, str] | None]:
        """Return a checkpoint's info and the digests of its trees; None of one from before there were digests."""
        name = _RECORD if (self.folder / str(step) / _RECORD).exists() else _INFO
        found = self._manager.restore(step, args=ocp.args.Composite(**{name: ocp.args.JsonRestore()}))[name]
        if name == _INFO:
            return found, None
        info, digests = found["info"], found["trees"]
        if _digest(info, digests) != found["digest"]:
            raise Damaged("its record is not what was written")
        return info, digests

    def _set_aside(self, step: int, reason: str, before: int | None) -> None:
        path, aside = self.folder / str(step), self.folder.with_name(DAMAGED) / str(step)
        if jax.process_count() > 1:
            raise UserError(f"checkpoint {path} is damaged ({reason}); delete it, then run the same command again")
        with _explain_errors(aside):
            aside.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(aside, ignore_errors=True)
            path.rename(aside)
        self._manager.reload()
        then = "this training starts anew" if before is None else f"going back to step {before}"
        print(
            f"procsup: warning: checkpoint {path} is damaged ({reason}); set aside as {aside}, {then}",
            file=sys.stderr,
        )


def _is_passing(error: Exception) -> bool:
    """Return whether an error says nothing of what lies on the disk."""
    number = error.errno if isinstance(error, OSError) else None
    return isinstance(error, MemoryError) or number in _PASSING or "RESOURCE_EXHAUSTED" in str(error)


def _drop_late_complaints() -> None:
    """Keep off the terminal what orbax's reads and writes say that end after another of them has failed.

    That one's error is raised. The others find their event loop closed, or fail like it with nobody to ask them.
    """
    logging.getLogger("asyncio").addFilter(_is_no_late_complaint)
    hook = sys.unraisablehook
    if getattr(hook, "__name__", "") == _HOOK:
        return

    def drop(unraisable: Any) -> None:
        if "Event loop is closed" not in str(unraisable.exc_value):
            hook(unraisable)

    drop.__name__ = _HOOK
    sys.unraisablehook = drop


def _is_no_late_complaint(record: logging.LogRecord) -> bool:
    """Return whether a record of asyncio is no exception of orbax's that nobody has asked for."""
    message = record.getMessage()
    trace = record.exc_info[2] if record.exc_info else None
    places = [frame.filename for frame in traceback.extract_tb(trace)]
    return "exception was never retrieved" not in message or not any("orbax" in each for each in (message, *places))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep off the terminal what the coroutines raise that orbax abandons when a file is damaged."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        yield
    finally:
        sys.unraisablehook = hook


def _digest(info: Mapping[str, Any], digests: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps([info, digests], sort_keys=True).encode()).hexdigest()


@contextlib.contextmanager
def _explain_errors(folder: pathlib.Path) -> Iterator[None]:
    """Like files.explain_os_errors, and for a full disk or quota that orbax reports in words of its own."""
    with files.explain_os_errors(folder):
        try:
            yield
        except (ValueError, RuntimeError) as error:
            files.raise_full_disk(error)
            raise
