"""Start contenders, on the CPU with one core and one thread each, and let them take turns."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import IO, Any

from benchmarks import peak, summary
from benchmarks.suite import LIBRARIES, Group, Spec
from benchmarks.workload import Task
from procsup_jax.console import HUGE_PAGES

ROOT = pathlib.Path(__file__).resolve().parents[1]
ENVIRONMENTS = {
    "cpu": {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"},
    # The contenders share the GPU's memory.
    "gpu": {"JAX_PLATFORMS": "cuda", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"},
}
MAX_LOGIT_DIFFERENCE = 1e-3

Record = dict[str, Any]


class Failed(Exception):
    """Report that a contender's process ended; the message is the last line it wrote."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """Hold how to run: the core, how many rounds, the Python of each peer's library where it has its own, the device.

    On a GPU, a contender may use every core, and all of a group's get ready at the same time.
    """

    core: int
    rounds: int
    pythons: Mapping[str, str] = dataclasses.field(default_factory=dict)
    device: str = "cpu"


class Contender:
    """Hold a contender's process, which runs what stands in the checkout `root`."""

    def __init__(
        self, spec: Spec, task: Task, setting: Setting, *,
        warm_up: bool, settle: bool = False, root: pathlib.Path = ROOT,
    ) -> None:  # fmt: skip
        request: Record = {"module": spec.module, "options": spec.options, "task": dataclasses.asdict(task)}
        request |= {"warm_up": warm_up, "settle": settle, "core": None if setting.device == "gpu" else setting.core}
        python = setting.pythons.get(spec.library or "", sys.executable)
        self.spec = spec
        self._errors: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.contender", json.dumps(request)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True,
            env={**dict([HUGE_PAGES]), **os.environ, **ENVIRONMENTS[setting.device], "PYTHONPATH": _python_path(root)},
            cwd=root,
        )  # fmt: skip

    def answer(self, question: str = "") -> Record:
        """Return the answer to a line, or without one the next line it says; raise Failed where there is none."""
        assert self._process.stdin and self._process.stdout
        try:
            if question:
                self._process.stdin.write(question + "\n")
                self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())
        except (ValueError, BrokenPipeError) as error:
            self._errors.seek(0)
            lines = self._errors.read().strip().splitlines() or ["it said nothing"]
            raise Failed(lines[-1]) from error

    def peak_mb(self) -> float | None:
        """Return the most memory that it has held since this was last asked, None where the system does not say."""
        found = peak.read(self._process.pid)
        peak.forget(self._process.pid)
        return found

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._errors.close()


def measure(group: Group, setting: Setting) -> Iterator[Record]:
    """Yield a record for each contender: its rate over the rounds, or why there is none."""
    running: list[tuple[Contender, Record, list[Record]]] = []
    try:
        for contender, ready in _started(group, setting, warm_up=True):
            if contender is None:
                yield ready
            else:
                running.append((contender, ready | {"peak_mb": contender.peak_mb()}, []))
        for _ in range(setting.rounds):
            for contender, _, answers in running:
                answers.append(contender.answer("run") | {"peak_mb": contender.peak_mb()})
    except Failed as error:
        raise Failed(f"{group.benchmark} {group.task.size}: {error}") from error
    finally:
        for contender, _, _ in running:
            contender.close()
    yield from summary.records(group, setting.core, [(each.spec, ready, found) for each, ready, found in running])


def check(group: Group, setting: Setting) -> Iterator[Record]:
    """Yield for each contender how far its logits after the prompt are from the first one's, at most."""
    reference: list[float] = []
    for contender, ready in _started(group, setting, warm_up=False):
        if contender is None:
            yield ready
            continue
        logits = contender.answer("logits")["logits"]
        contender.close()
        reference = reference or logits
        difference = max(abs(a - b) for a, b in zip(logits, reference, strict=True))
        yield summary.about(group, contender.spec) | {
            "max_abs_difference": difference,
            "largest_logit": max(map(abs, reference)),
            "ok": difference < MAX_LOGIT_DIFFERENCE,
            "versions": ready["versions"],
        }


def _started(group: Group, setting: Setting, *, warm_up: bool) -> Iterator[tuple[Contender | None, Record]]:
    """Start each contender when the one before is ready, or on a GPU all at once; in an absent one's place say why."""

    def start(spec: Spec) -> Contender:
        return Contender(spec, group.task, setting, warm_up=warm_up, settle=group.settle)

    early = list(map(start, group.specs)) if setting.device == "gpu" else None
    for spec, contender in zip(group.specs, early or map(start, group.specs), strict=True):
        try:
            ready = contender.answer()
        except Failed as error:
            contender.close()
            yield None, summary.about(group, spec) | {"failed": str(error)}
            continue
        if "missing" not in ready:
            yield contender, ready
            continue
        contender.close()
        yield None, summary.about(group, spec) | {"left_out": _how_to_install(spec, ready["missing"])}


def _python_path(root: pathlib.Path) -> str:
    return os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])


def _how_to_install(spec: Spec, module: str) -> str:
    package = LIBRARIES.get(spec.library or "", "procsup_jax")
    return f"{module} is not installed: install {package}, or name a Python that has it: --python {spec.library}=PATH"
