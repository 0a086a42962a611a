"""The benchmarks: what is measured together, in turns, and on what."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from benchmarks.workload import SMALLER, Size, Task


@dataclasses.dataclass(frozen=True)
class Spec:
    """Name a contender: its module, the options of its `make`, and, for a peer, the library that `--python` names.

    The others' rates are given as a ratio to that of the fastest rival. `on_gpu` says whether it can take part there.
    """

    name: str
    module: str
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    library: str | None = None
    rival: bool = False
    on_gpu: bool = True


@dataclasses.dataclass(frozen=True)
class Group:
    """Hold contenders that take turns at one task.

    With `settle` each timed run follows an untimed one. What waits for its turn has given memory back, and in a virtual
    machine the next run may take half as long again while it gets that anew: where what is asked about is one of many
    runs in a row, that is not part of it.
    """

    benchmark: str
    task: Task
    specs: tuple[Spec, ...]
    settle: bool = False


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """Hold a benchmark's sizes, unless others are asked for, and its groups, which vary a task of one size.

    A benchmark without `gpu_sizes` is for the CPU alone.
    """

    sizes: tuple[str, ...]
    groups: Callable[[Task], list[Group]]
    gpu_sizes: tuple[str, ...] = ()

    def sizes_on(self, device: str) -> tuple[str, ...]:
        """Return the sizes that are measured on a device, "cpu" or "gpu"."""
        return self.gpu_sizes if device == "gpu" else self.sizes


LIBRARIES = {"transformers": "transformers", "llama_cpp": "llama-cpp-python", "tunix": "google-tunix"}
SWEEP = (1, 8, 32, 96, 192)
STEPS = (2, 4, 8, 16)

_SAMPLING, _SEARCHING = "benchmarks.ours.sampling", "benchmarks.ours.searching"
_TORCH_SCORING, _LLAMA_CPP_SCORING = "benchmarks.peers.transformers_scoring", "benchmarks.peers.llama_cpp_scoring"
_TRAINING, _TORCH_TRAINING = "benchmarks.ours.training", "benchmarks.peers.torch_training"
_TRANSFORMERS, _LLAMA_CPP = "benchmarks.peers.transformers_sampling", "benchmarks.peers.llama_cpp_sampling"

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
LLAMA_CPP = Spec("llama.cpp", _LLAMA_CPP, library="llama_cpp", rival=True, on_gpu=False)
# It computes something less exact, and so is no rival.
LLAMA_CPP_Q8 = Spec("llama.cpp, Q8_0", _LLAMA_CPP, {"dtype": "q8_0"}, library="llama_cpp", on_gpu=False)
TUNIX = Spec("tunix", "benchmarks.peers.tunix_sampling", library="tunix", rival=True, on_gpu=False)
PEERS = (DYNAMIC, STATIC, LLAMA_CPP, LLAMA_CPP_Q8, TUNIX)
SCORING = Spec("procsup", "benchmarks.ours.scoring")
TRAINING = Spec("procsup", _TRAINING)
CACHED = Spec("procsup, cached", _SEARCHING)


def _limits(task: Task) -> list[Group]:
    bf16 = tuple(
        dataclasses.replace(spec, name=f"{spec.name}, bf16", options={"dtype": "bfloat16"}) for spec in LIMITS[:2]
    )
    return [Group("limits", task, LIMITS + (() if task.dtype == "bfloat16" else bf16))]


def _sampling(task: Task) -> list[Group]:
    return [Group("sampling", task, (*LIMITS, OURS, *_peers(task, PEERS)))]


def _ragged(task: Task) -> list[Group]:
    refill = Spec("procsup, refill", _SAMPLING, {"lanes": 4})
    in_step = dataclasses.replace(OURS, name="procsup, in step")
    ragged = dataclasses.replace(task, num_problems=4, shortest=16)
    return [Group("ragged", ragged, (*LIMITS, refill, in_step, *_peers(task, (DYNAMIC, STATIC, LLAMA_CPP, TUNIX))))]


def _sweep(task: Task) -> list[Group]:
    return [Group("sweep", dataclasses.replace(task, num_samples=k), (OURS, STATIC, LLAMA_CPP)) for k in SWEEP]


def _search(task: Task) -> list[Group]:
    reread = Spec("procsup, re-reading", _SEARCHING, {"cached": False}, rival=True)
    each = Spec("procsup, re-reading for each candidate", _SEARCHING, {"cached": False, "each": True})
    specs = dict.fromkeys(STEPS, (CACHED, reread)) | {8: (CACHED, reread, each)}
    return [Group("search", dataclasses.replace(task, num_steps=steps), specs[steps]) for steps in STEPS]


def _scoring(task: Task) -> list[Group]:
    peers = [Spec(DYNAMIC.name.replace("dynamic", "eager"), _TORCH_SCORING, library="transformers", rival=True)]
    peers.append(dataclasses.replace(peers[0], name="transformers, compiled", options={"compiled": True}))
    peers += [dataclasses.replace(each, module=_LLAMA_CPP_SCORING) for each in (LLAMA_CPP, LLAMA_CPP_Q8)]
    return [Group("scoring", task, (*LIMITS, SCORING, *_peers(task, peers)), settle=True)]


def _training(task: Task) -> list[Group]:
    specs = []
    for dtype in (task.dtype,) if task.dtype == "bfloat16" or task.size in SMALLER else ("float32", "bfloat16"):
        suffix = "" if dtype == task.dtype else ", bf16"
        specs.append(dataclasses.replace(TRAINING, name=f"procsup{suffix}", options={"dtype": dtype}))
        for name, compiled in (("torch, eager", False), ("torch, compiled", True)):
            options = {"dtype": dtype, "compiled": compiled}
            specs.append(Spec(name + suffix, _TORCH_TRAINING, options, library="transformers", rival=not suffix))
    return [Group("training", task, (*LIMITS, *specs), settle=True)]


def _calculator(task: Task) -> list[Group]:
    without = Spec("procsup, no calculator", _SAMPLING, {"calculator": False}, rival=True)
    return [Group("calculator", task, (OURS, without))]


def _check(task: Task) -> list[Group]:
    return [Group("check", dataclasses.replace(task, num_samples=1), (OURS, DYNAMIC, LLAMA_CPP, TUNIX))]


def _peers(task: Task, peers: Iterable[Spec]) -> tuple[Spec, ...]:
    there = (spec for spec in peers if spec.on_gpu or task.device == "cpu")
    return tuple(spec for spec in there if spec is not TUNIX or task.shape.rope_theta == Size.rope_theta)


BENCHMARKS = {
    "check": Benchmark(("2m", "25m"), _check),
    "limits": Benchmark(("2m",), _limits, gpu_sizes=("25m",)),
    "sampling": Benchmark(("2m", "25m", "135m"), _sampling, gpu_sizes=("25m", "1b")),
    "ragged": Benchmark(("2m",), _ragged),
    "sweep": Benchmark(("2m",), _sweep),
    "search": Benchmark(("25m",), _search),
    "scoring": Benchmark(("25m", "135m"), _scoring, gpu_sizes=("25m", "1b")),
    "training": Benchmark(("25m", "135m"), _training, gpu_sizes=("25m", "1b")),
    "calculator": Benchmark(("2m",), _calculator),
}
