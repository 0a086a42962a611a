"""Checkpoints of training in progress (the only importer of orbax)."""

from __future__ import annotations

import contextlib
import errno
import pathlib
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import orbax.checkpoint as ocp

from procsup_jax import files


class Checkpoints:
    """Keep the newest checkpoint of a fit in `folder`, each written aside and renamed when it is whole.

    A checkpoint holds trees of arrays by name, and a JSON object that is equal in all processes. Writing goes on in
    the background; `wait` or leaving the context ends it.
    """

    def __init__(self, folder: files.PathLike) -> None:
        self.folder = pathlib.Path(folder).absolute()
        options = ocp.CheckpointManagerOptions(
            preservation_policy=ocp.checkpoint_managers.LatestN(1), cleanup_tmp_directories=True
        )
        with _explain_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._manager = ocp.CheckpointManager(self.folder, options=options)

    def latest_step(self) -> int | None:
        """Return the step of the newest whole checkpoint, None when there is none."""
        return self._manager.latest_step()

    def save(self, step: int, trees: Mapping[str, Any], info: Mapping[str, Any]) -> None:
        """Write a checkpoint unless this step's is there; the arrays may be donated as soon as this returns."""
        if self.latest_step() == step:
            return
        items = {name: ocp.args.StandardSave(tree) for name, tree in trees.items()}
        with _explain_errors(self.folder):
            self._manager.save(step, args=ocp.args.Composite(**items, info=ocp.args.JsonSave(dict(info))))

    def restore_info(self) -> dict[str, Any]:
        """Return the newest checkpoint's JSON object."""
        with _explain_errors(self.folder, "read"):
            return self._manager.restore(self.latest_step(), args=ocp.args.Composite(info=ocp.args.JsonRestore())).info

    def restore(self, abstract: Mapping[str, Any]) -> dict[str, Any]:
        """Return the newest checkpoint's trees by the shapes and shardings of `abstract`."""
        items = {name: ocp.args.StandardRestore(tree) for name, tree in abstract.items()}
        with _explain_errors(self.folder, "read"):
            found = self._manager.restore(self.latest_step(), args=ocp.args.Composite(**items))
        return {name: found[name] for name in abstract}

    def wait(self) -> None:
        """Return when everything saved is on the disk."""
        with _explain_errors(self.folder):
            self._manager.wait_until_finished()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _explain_errors(self.folder):
            self._manager.close()


@contextlib.contextmanager
def _explain_errors(folder: pathlib.Path, doing: str = "write") -> Iterator[None]:
    """Like files.explain_os_errors, and also for a full disk that orbax's storage layer reports in its own words."""
    with files.explain_os_errors(folder, doing):
        try:
            yield
        except (ValueError, RuntimeError) as error:
            if "No space left on device" in str(error):
                raise OSError(errno.ENOSPC, "No space left on device") from error
            raise
