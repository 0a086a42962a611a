"""Compile a run's programs for a slice that is not at hand, and say what each needs there."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax

from procsup_jax.parallel.settings import MeshSettings
from procsup_jax.planning import cost, hlo, programs, slices
from procsup_jax.planning.chips import Chip, chip_of
from procsup_jax.planning.programs import Name, Program, Work

_USED = re.compile(r"Used ([\d.]+)([KMG]) of ([\d.]+)([KMG]) hbm")
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@dataclasses.dataclass(frozen=True)
class Planned:
    """Hold what one program needs of each chip.

    Bytes: arguments, outputs that are not arguments' own memory, temporaries and code, what they make at the most, and
    the chip's. `flops` and `moved` are what it does, `sent` by kind of collective; `seconds` what each of the three
    takes at the published peaks: "compute", "memory" and "links", of which the longest bounds the program.
    `utilisation` is useful arithmetic (no recomputation, no padding of replicas) against the peak in that time.
    `least` is what decoding must read, bytes on each chip, 0 for other programs. `held` are its arguments by their
    shapes and shardings alone: the compiled program pads some, and leaves out what it does not read.
    """

    program: str
    mesh: tuple[int, int, int]
    fits: bool
    arguments: int = 0
    outputs: int = 0
    temporaries: int = 0
    code: int = 0
    total: int = 0
    memory: int = 0
    flops: float = 0.0
    moved: float = 0.0
    sent: dict[str, float] = dataclasses.field(default_factory=dict)
    calls: dict[str, int] = dataclasses.field(default_factory=dict)
    unknown_loops: int = 0
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    bound: str = ""
    utilisation: float = 0.0
    tokens_per_s: float = 0.0
    least: int = 0
    held: int = 0
    compile_s: float = 0.0
    problem: str = ""

    @property
    def time(self) -> float:
        """Return the seconds that the peaks imply."""
        return max(self.seconds.values(), default=0.0)


def plan(
    work: Work,
    topology: str,
    names: Sequence[Name],
    mesh: MeshSettings,
    said: Callable[[str], None] = lambda _: None,
    compiles: bool = True,
) -> list[Planned]:
    """Return what the named parts of a run need on a slice; `said` hears of each program before it is compiled.

    Without compiling it is only what the arguments of each program hold, exact and at hand within seconds.
    """
    description = slices.devices_of(topology)
    chip = chip_of(topology).shared(len(description.devices) // slices.num_chips(description))
    made = slices.mesh_of(description, mesh)
    found = []
    for name in names:
        for program in programs.parts(name, work, made):
            said(f"{name} {program.what} for {topology} as {shape_of(made)}")
            called = f"{name} {program.what}"
            found.append(_planned(called, program, made, chip) if compiles else _held(called, program, made, chip))
    return found


def _held(name: str, program: Program, mesh: jax.sharding.Mesh, chip: Chip) -> Planned:
    fits = program.held <= chip.memory
    problem = "" if fits else "its arguments alone do not fit"
    return Planned(
        name,
        _axes(mesh),
        fits,
        program.held,
        total=program.held,
        memory=chip.memory,
        held=program.held,
        problem=problem,
    )


def _axes(mesh: jax.sharding.Mesh) -> tuple[int, int, int]:
    return mesh.shape["data"], mesh.shape["fsdp"], mesh.shape["tensor"]


def search(
    work: Work,
    topology: str,
    names: Sequence[Name],
    said: Callable[[str], None] = lambda _: None,
    compiles: bool = True,
) -> list[list[Planned]]:
    """Return plans for each mesh worth trying: those that fit first, the quickest in all of these."""
    devices = len(slices.devices_of(topology).devices)
    batches = [fit.batch_size // fit.grad_accum for name, fit in (("sft", work.sft), ("rm", work.rm)) if name in names]
    plans = [plan(work, topology, names, mesh, said, compiles) for mesh in slices.shapes_of(devices, batches)]
    return sorted(plans, key=lambda each: (not all(one.fits for one in each), sum(one.time for one in each)))


def shape_of(mesh: jax.sharding.Mesh) -> str:
    """Return a mesh's axes as a user sets them."""
    return " ".join(f"{axis}={size}" for axis, size in mesh.shape.items())


def _planned(name: str, program: Program, mesh: jax.sharding.Mesh, chip: Chip) -> Planned:
    axes, began = _axes(mesh), time.monotonic()
    try:
        compiled = program.lower().compile()
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        used = _USED.search(str(error))
        total = int(float(used.group(1)) * _UNITS[used.group(2)]) if used else 0
        problem = f"needs {used.group(1)}{used.group(2)} of {used.group(3)}{used.group(4)}" if used else "out of memory"
        return Planned(
            name, axes, False, total=total, memory=chip.memory, problem=problem, compile_s=time.monotonic() - began
        )
    compile_s, stats, text = time.monotonic() - began, compiled.memory_analysis(), compiled.as_text()
    assert stats is not None and text is not None  # a TPU's compiler gives both
    module = hlo.parse(text)
    # What is written token by token goes on for hundreds of rounds, beside which its start and end are nothing.
    spent = cost.rounds_of(module) if program.least else cost.cost_of(module)
    outputs = stats.output_size_in_bytes - stats.alias_size_in_bytes
    parts = stats.argument_size_in_bytes, outputs, stats.temp_size_in_bytes, stats.generated_code_size_in_bytes
    seconds = {
        "compute": spent.flops / chip.flops,
        "memory": spent.moved / chip.memory_speed,
        "links": sum(spent.sent.values()) / chip.link_speed,
    }
    longest = max(seconds.values())
    return Planned(
        name, axes, sum(parts) <= chip.memory, *parts, sum(parts), chip.memory, spent.flops, spent.moved,
        dict(spent.sent), dict(spent.calls), spent.unknown_loops, seconds, max(seconds, key=lambda kind: seconds[kind]),
        utilisation=program.flops / mesh.size / chip.flops / longest if longest else 0.0,
        tokens_per_s=program.tokens / longest if longest else 0.0, least=program.least, held=program.held,
        compile_s=compile_s,
    )  # fmt: skip


def to_json(topology: str, plans: Sequence[Planned]) -> dict[str, Any]:
    """Return a plan as a JSON object."""
    rows = [{**dataclasses.asdict(each), "time": each.time} for each in plans]
    return {"topology": topology, "fits": all(each.fits for each in plans), "programs": rows}


def table(topology: str, plans: Sequence[Planned]) -> str:
    """Return a plan as text: a row a program, then its collectives."""
    chip = chip_of(topology)
    mesh = " ".join(f"{axis}={size}" for axis, size in zip(slices.AXES, plans[0].mesh, strict=True)) if plans else ""
    head = ("program", "fits", "GiB", "arguments", "outputs", "temporaries", "code", "TFLOP", "GB moved", "GB sent",
            "ms", "bound by", "useful", "tokens/s")  # fmt: skip
    lines = [head, *(_row(each) for each in plans)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    text = ["  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in
                      enumerate(zip(line, widths, strict=True))) for line in lines]  # fmt: skip
    peaks = (
        f"{chip.name}: {chip.flops / 1e12:g} TFLOP/s in bfloat16, {chip.memory / 2**30:g} GiB at "
        f"{chip.memory_speed / 1e9:g} GB/s, links {chip.link_speed / 1e9:g} GB/s ({chip.source})"
    )
    return "\n".join([f"{topology}, {mesh}; for each chip", *text, *_notes(plans), peaks])


def _row(each: Planned) -> tuple[str, ...]:
    gib = lambda size: f"{size / 2**30:.2f}"  # noqa: E731
    if not each.flops:
        fits = "yes" if each.fits else "no"
        return (each.program, fits, gib(each.total), gib(each.arguments), *[""] * 9, each.problem or "not compiled")
    return (
        each.program, "yes" if each.fits else "no", gib(each.total), gib(each.arguments), gib(each.outputs),
        gib(each.temporaries), gib(each.code), f"{each.flops / 1e12:.3g}", f"{each.moved / 1e9:.3g}",
        f"{sum(each.sent.values()) / 1e9:.3g}", f"{1e3 * each.time:.3g}", each.bound, f"{each.utilisation:.0%}",
        f"{each.tokens_per_s:.3g}",
    )  # fmt: skip


def _notes(plans: Sequence[Planned]) -> Iterator[str]:
    for each in plans:
        kinds = [f"{n} {kind} {each.sent[kind] / 1e9:.3g} GB" for kind, n in each.calls.items() if n]
        if kinds:
            yield f"  {each.program}: {', '.join(kinds)}"
        if each.least:
            yield (
                f"  {each.program}: a round of its loop, which goes on until samples end; it moves "
                f"{each.moved / each.least:.2f} times what it must read ({each.least / 1e9:.3g} GB: the parameters and "
                "each cache once a token)"
            )
        elif each.unknown_loops:
            yield f"  {each.program}: {each.unknown_loops} loops end when their data say, and count once"
