"""A local folder's copy in an object store, from which another machine goes on when this one is gone.

The copy is what its list says: `mirror.json`, put last, names files that lie beside it whole. Files that are named
only by an earlier list go after that.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import sys
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from procsup_jax import files, json_lines, remote
from procsup_jax.errors import UserError

_LIST = "mirror.json"


class Mirror:
    """Keep a copy of some files of the folder `local` at `target`, one process alone; `step` says how far they are."""

    def __init__(self, local: pathlib.Path, target: files.PathLike) -> None:
        self._local, self._target = local, remote.path_of(target)
        self._put: dict[str, object] = {}
        self._thread = ThreadPoolExecutor(1, "mirror")
        self._pending: Future[None] | None = None

    def fetch(self, step: int) -> None:
        """Bring the copy here where it is further than `step`, how far the local folder is; -1 for nowhere.

        What lies in the local folder is replaced, hidden files apart. Raises UserError where the copy is not what its
        list says.
        """
        with files.explain_os_errors(self._target, "read"):
            found, names = self._read_list()
            if found <= step:
                return
            for path in self._local.glob("[!.]*"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            for name in names:
                (self._local / name).parent.mkdir(parents=True, exist_ok=True)
                with remote.fetched(self._target / name) as copy:
                    shutil.copyfile(copy, self._local / name)

    def put(self, step: int, names: Iterable[str]) -> None:
        """Copy these files of the local folder, those that have not changed apart, and wait until all is there.

        One that has gone meanwhile is left out. Raises UserError where they cannot be written.
        """
        self.start(step, names)
        self.wait()

    def start(self, step: int, names: Iterable[str]) -> None:
        """Copy as `put` does, in the background, once what is under way there has ended; its errors are warnings."""
        self._settle()
        self._pending = self._thread.submit(self._copy, step, list(names))

    def wait(self) -> None:
        """Return when what was started has ended; raises UserError where it could not be written."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def close(self) -> None:
        """End what is under way; its errors are warnings."""
        self._settle()
        self._thread.shutdown()

    def remove(self) -> None:
        """Remove the copy, its list first."""
        self.wait()
        with files.explain_os_errors(self._target):
            _, names = self._read_list()
            for name in [_LIST, *names]:
                (self._target / name).unlink(missing_ok=True)
        self._put.clear()

    def _settle(self) -> None:
        try:
            self.wait()
        except UserError as error:
            print(f"procsup: warning: {error}; the copy there stays behind", file=sys.stderr, flush=True)

    def _copy(self, step: int, names: list[str]) -> None:
        with files.explain_os_errors(self._target):
            before = self._read_list()[1]
            stamps = {name: remote.stamp(self._local / name) for name in names if (self._local / name).is_file()}
            for name, stamp in stamps.items():
                if self._put.get(name) != stamp:
                    remote.put(self._local / name, self._target / name)
            with (self._target / _LIST).open("wb") as file:
                file.write(json.dumps({"step": step, "files": list(stamps)}).encode())
            for name in before - set(stamps):
                (self._target / name).unlink(missing_ok=True)
            self._put = stamps

    def _read_list(self) -> tuple[int, set[str]]:
        """Return the step and the files of the list, -1 and none where there is no list."""
        path = self._target / _LIST
        if not path.exists():
            return -1, set()
        try:
            value = json_lines.loads(path.read_bytes())
            step, names = value["step"], value["files"]
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(f"{path} is damaged ({error!r}); delete it: that training starts anew") from error
        if type(step) is not int or not isinstance(names, list) or not all(map(_is_within, names)):
            raise UserError(f"{path} is damaged; delete it: that training starts anew")
        return step, set(names)


def _is_within(name: object) -> bool:
    """Return whether a name is that of a file in the folder."""
    return isinstance(name, str) and not name.startswith("/") and ".." not in pathlib.PurePosixPath(name).parts
