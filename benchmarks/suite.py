"""The benchmarks: what is measured together, in turns, and on what."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.workload import Task


@dataclasses.dataclass(frozen=True)
class Spec:
    """Name a contender: its module, the options of its `make`, and, for a peer, the library that `--python` names.

    The others' rates are given as a ratio to that of the fastest rival.
    """

    name: str
    module: str
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    library: str | None = None
    rival: bool = False


@dataclasses.dataclass(frozen=True)
class Group:
    """Hold contenders that take turns at one task."""

    benchmark: str
    task: Task
    specs: tuple[Spec, ...]


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """Hold a benchmark's sizes, unless others are asked for, and its groups for a size and its folder."""

    sizes: tuple[str, ...]
    groups: Callable[[str, str], list[Group]]


LIBRARIES = {"transformers": "transformers", "llama_cpp": "llama-cpp-python", "tunix": "google-tunix"}
SWEEP = (1, 8, 32, 96, 192)
STEPS = (2, 4, 8, 16)

_SAMPLING, _SEARCHING = "benchmarks.ours.sampling", "benchmarks.ours.searching"
_TRAINING, _TORCH_TRAINING = "benchmarks.ours.training", "benchmarks.peers.torch_training"
_TRANSFORMERS = "benchmarks.peers.transformers_sampling"

LIMITS = (
    Spec("matmul, jax", "benchmarks.ours.matmul"),
    Spec("matmul, torch", "benchmarks.peers.torch_matmul", library="transformers"),
    Spec("memory", "benchmarks.ours.memory"),
)
OURS = Spec("procsup", _SAMPLING)
DYNAMIC = Spec("transformers, dynamic", _TRANSFORMERS, library="transformers", rival=True)
STATIC = Spec(
    "transformers, static, compiled", _TRANSFORMERS, {"static": True}, library="transformers", rival=True
)  # fmt: skip
LLAMA_CPP = Spec("llama.cpp", "benchmarks.peers.llama_cpp_sampling", library="llama_cpp", rival=True)
TUNIX = Spec("tunix", "benchmarks.peers.tunix_sampling", library="tunix", rival=True)
PEERS = (DYNAMIC, STATIC, LLAMA_CPP, TUNIX)


def _limits(size: str, folder: str) -> list[Group]:
    bf16 = tuple(
        dataclasses.replace(spec, name=f"{spec.name}, bf16", options={"dtype": "bfloat16"}) for spec in LIMITS[:2]
    )
    return [Group("limits", Task(size, folder), LIMITS + bf16)]


def _sampling(size: str, folder: str) -> list[Group]:
    return [Group("sampling", Task(size, folder), (*LIMITS, OURS, *PEERS))]


def _ragged(size: str, folder: str) -> list[Group]:
    refill = Spec("procsup, refill", _SAMPLING, {"lanes": 4})
    task = Task(size, folder, num_problems=4, shortest=16)
    return [Group("ragged", task, (*LIMITS, refill, dataclasses.replace(OURS, name="procsup, in step"), *PEERS))]


def _sweep(size: str, folder: str) -> list[Group]:
    return [Group("sweep", Task(size, folder, num_samples=k), (OURS, STATIC, LLAMA_CPP)) for k in SWEEP]


def _search(size: str, folder: str) -> list[Group]:
    cached = Spec("procsup, cached", _SEARCHING)
    reread = Spec("procsup, re-reading", _SEARCHING, {"cached": False}, rival=True)
    return [Group("search", Task(size, folder, num_steps=steps), (cached, reread)) for steps in STEPS]


def _scoring(size: str, folder: str) -> list[Group]:
    return [Group("scoring", Task(size, folder), (*LIMITS, Spec("procsup", "benchmarks.ours.scoring")))]


def _training(size: str, folder: str) -> list[Group]:
    specs = []
    for suffix, dtype in (("", {}), (", bf16", {"dtype": "bfloat16"})):
        specs.append(Spec(f"procsup{suffix}", _TRAINING, dtype))
        for name, compiled in (("torch, eager", False), ("torch, compiled", True)):
            options = {**dtype, "compiled": compiled}
            specs.append(Spec(name + suffix, _TORCH_TRAINING, options, library="transformers", rival=not suffix))
    return [Group("training", Task(size, folder), (*LIMITS, *specs))]


def _calculator(size: str, folder: str) -> list[Group]:
    without = Spec("procsup, no calculator", _SAMPLING, {"calculator": False}, rival=True)
    return [Group("calculator", Task(size, folder), (OURS, without))]


def _check(size: str, folder: str) -> list[Group]:
    return [Group("check", Task(size, folder, num_samples=1), (OURS, DYNAMIC, LLAMA_CPP, TUNIX))]


BENCHMARKS = {
    "check": Benchmark(("2m", "25m"), _check),
    "limits": Benchmark(("2m",), _limits),
    "sampling": Benchmark(("2m", "25m"), _sampling),
    "ragged": Benchmark(("2m",), _ragged),
    "sweep": Benchmark(("2m",), _sweep),
    "search": Benchmark(("25m",), _search),
    "scoring": Benchmark(("25m",), _scoring),
    "training": Benchmark(("25m",), _training),
    "calculator": Benchmark(("2m",), _calculator),
}
