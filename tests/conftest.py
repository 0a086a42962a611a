"""Fixtures and settings that every test shares."""

import importlib
import os
import pathlib
import sys

from procsup_jax.main import CACHE

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.3")
# Sharded programs are compared with unsharded ones on eight virtual devices. Most of the suite's time is compilation,
# and tiny programs need no optimising: without these the suite's compilations take nearly twice as much.
_FLAGS = (
    "--xla_force_host_platform_device_count=8",
    "--xla_backend_optimization_level=0",
    "--xla_llvm_disable_expensive_passes=true",
    "--xla_cpu_use_fusion_emitters=false",
)
os.environ.setdefault("XLA_FLAGS", " ".join(_FLAGS))
# Virtual devices share XLA's pool of threads. A thread waits in a collective until all devices are there, and XLA
# starts several collectives of one program at once: with a thread per device the pool can fill with waiting ones.
os.environ.setdefault("NPROC", "32")

import hypothesis
import jax
import pytest

sys.path.append(str(pathlib.Path(__file__).parent))  # where the plugin stands
pytest_plugins = ("tokenizer_fixtures", "bucket", "several")

hypothesis.settings.register_profile("quick", deadline=None, derandomize=True, max_examples=50)
hypothesis.settings.load_profile("quick")


EXPERIMENTS = pathlib.Path(__file__).parents[1] / "experiments"

# Files that take minutes come first (see --no-loadscope-reorder): one started last would keep a worker waiting.
LONGEST = ("recipes", "searching", "parallel", "experiments", "decode", "jobs", "models", "training", "planning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests by how long their folders take; within one folder they stay as they are."""
    tests = pathlib.Path(__file__).parent

    def place(item: pytest.Item) -> int:
        folder = item.path.relative_to(tests).parts[0]
        return LONGEST.index(folder) if folder in LONGEST else len(LONGEST)

    items.sort(key=place)


# Each compiled program holds tens of memory maps. Linux gives a process 65,530 of them, and the next compilation is a
# segmentation fault: the whole suite in one process gets there.
MAPS = pathlib.Path("/proc/self/maps")
MAX_MAPS = 20_000


@pytest.fixture(scope="module", autouse=True)
def drop_compiled_programs():
    """Let go of the compiled programs of a module's tests once there are many."""
    yield
    if MAPS.exists() and MAPS.read_bytes().count(b"\n") > MAX_MAPS:
        jax.clear_caches()


@pytest.fixture
def experiment_module(monkeypatch):
    """Return how to import a module of a folder of experiments/, which finds its neighbours as when it is run."""

    def load(folder, name):
        monkeypatch.syspath_prepend(EXPERIMENTS / folder)
        return importlib.import_module(name)

    return load


@pytest.fixture(scope="session")
def shared_data() -> pathlib.Path:
    """Return the folder of public data files beside the checkout, or skip the test."""
    folder = pathlib.Path(__file__).resolve().parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: put GSM8K's and the other public files there to run this test")
    return folder
