"""A bucket of an object store in memory, behind `gs://` as gcsfs would be."""

import pytest
from etils.epath import backend
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry


class Bucket(MemoryFileSystem):
    """Keep objects in memory; only a write that is closed is there, as in a store."""

    protocol = ("gs", "gcs")
    store: dict = {}  # noqa: RUF012 - as in the class above
    pseudo_dirs = [""]  # noqa: RUF012
    fails_after: int | None = None
    """After so many objects no more are put."""

    def __init__(self, **options):
        options.pop("finalize_on_close", None)
        super().__init__(**options)

    @classmethod
    def _strip_protocol(cls, path):
        return "/" + str(path).removeprefix("gs://").removeprefix("gcs://").strip("/")

    def open(self, path, mode="rb", **options):
        if "w" in mode and Bucket.fails_after is not None:
            Bucket.fails_after -= 1
            if Bucket.fails_after < 0:
                raise OSError(28, "No space left on device")
        return super().open(path, mode, **options)

    @classmethod
    def names(cls):
        return sorted(cls.store)


@pytest.fixture
def bucket(monkeypatch):
    """Make gs:// a fresh bucket in memory, and return what tells its objects' names."""
    for name in ("gs", "gcs"):
        monkeypatch.setitem(_registry, name, Bucket)
    backend.fsspec_backend._get_filesystem.cache_clear()
    Bucket.clear_instance_cache()
    Bucket.store.clear()
    Bucket.pseudo_dirs[:] = [""]
    Bucket.fails_after = None
    yield Bucket
    backend.fsspec_backend._get_filesystem.cache_clear()
