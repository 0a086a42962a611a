"""Count what a compiled program does on one chip: arithmetic, bytes of main memory moved, bytes sent to others.

XLA's own count takes a loop's body once; here it is multiplied by how often the loop runs, where the program says so.
"""

from __future__ import annotations

import collections
import dataclasses
import math
import re

import numpy as np

from procsup_jax.planning.hlo import Instruction, Module, Shape

COLLECTIVES = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
# What moves nothing by itself: names for parts of others, and the ends of what was started elsewhere.
_FREE = {
    "parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "partition-id", "replica-id",
    "opt-barrier", "iota", "async-done", "async-update", "copy-done",
}  # fmt: skip
# Scores and values; backward the scores again, and gradients of what they and the values come from.
_ATTENTION_PRODUCTS = {"fwd": 2, "dq": 3, "dkv": 4}
_READS_A_PART = ("dynamic-slice", "slice", "gather")
_WRITES_A_PART = ("dynamic-update-slice", "scatter")


@dataclasses.dataclass
class Cost:
    """Hold FLOPs, bytes moved, bytes sent by kind of collective, how many of these, and loops of unknown length."""

    flops: float = 0.0
    moved: float = 0.0
    sent: dict[str, float] = dataclasses.field(default_factory=lambda: collections.defaultdict(float))
    calls: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    unknown_loops: int = 0

    def add(self, other: Cost, times: int = 1) -> None:
        """Add another cost so many times."""
        self.flops += times * other.flops
        self.moved += times * other.moved
        self.unknown_loops += other.unknown_loops
        for kind in other.sent:
            self.sent[kind] += times * other.sent[kind]
            self.calls[kind] += times * other.calls[kind]


def cost_of(module: Module) -> Cost:
    """Return the cost of a program; a loop whose length only its data say counts once, a branch as the dearest."""
    return _Counter(module).computation(module.entry)


def rounds_of(module: Module) -> Cost:
    """Return the cost of one round of each loop that only its data end, without what is done once before and after."""
    counter, found = _Counter(module), Cost()

    def visit(name: str, times: int) -> None:
        for each in module.computations[name].values():
            trips = module.trips(each, name) if each.op == "while" else 1
            if trips is None:
                found.add(counter.computation(_body(each)), times)
            elif each.op == "while":
                visit(_body(each), times * trips)
            elif each.op in ("call", "conditional"):
                for called in each.called:
                    visit(called, times)

    visit(module.entry, 1)
    return found


class _Counter:
    def __init__(self, module: Module) -> None:
        self._module = module
        self._known: dict[tuple[str, bool], Cost] = {}

    def computation(self, name: str, fused: bool = False) -> Cost:
        """Return the cost of a computation; what is `fused` moves nothing, as its operands are counted outside."""
        if (name, fused) not in self._known:
            found = Cost()
            for each in self._module.computations[name].values():
                found.add(self._instruction(name, each, fused))
            self._known[name, fused] = found
        return self._known[name, fused]

    def _instruction(self, computation: str, each: Instruction, fused: bool) -> Cost:
        found = Cost()
        operands = self._operands(computation, each)
        kind = next((kind for kind in COLLECTIVES if each.op in (kind, f"{kind}-start")), None)
        if each.op == "while":
            trips = self._module.trips(each, computation)
            found.unknown_loops = trips is None
            found.add(self.computation(_body(each), fused), 1 if trips is None else trips)
            return found
        if each.op == "conditional":
            branches = [self.computation(name, fused) for name in each.called]
            found.add(max(branches, key=lambda cost: (cost.moved, cost.flops)))
            return found
        if each.op in ("call", "async-start"):
            for name in each.called:
                found.add(self.computation(name, fused))
            return found
        if kind is not None:
            shapes = operands or each.shapes
            found.sent[kind] = _sent(kind, shapes, each)
            found.calls[kind] = 1
        if each.op == "dot":
            found.flops = _dot_flops(each, operands)
        if each.op == "convolution":
            found.flops = _convolution_flops(each, operands)
        if each.op == "custom-call":
            found.flops = _attention_flops(each, operands)
        if each.op == "fusion":
            inner = self.computation(each.called[0], fused=True)
            found.add(dataclasses.replace(inner, moved=0.0))
        if not fused and each.op not in _FREE and not each.op.endswith("-done"):
            found.moved = self._moved(each, operands)
        return found

    def _operands(self, computation: str, each: Instruction) -> list[Shape]:
        instructions = self._module.computations[computation]
        return [shape for name in each.operands if name in instructions for shape in instructions[name].shapes]

    def _moved(self, each: Instruction, operands: list[Shape]) -> float:
        """Return the bytes of main memory that an instruction reads and writes."""
        out = sum(_main(shape) for shape in each.shapes)
        starts = each.op.endswith("-start")
        if each.op.removesuffix("-start") in _READS_A_PART:
            part = each.shapes[1 if starts else 0]  # of what is only started, behind the operand
            return _main(part) + min(_main(operands[0]), part.bytes)
        if each.op == "dynamic-update-slice":
            return _main(operands[1]) + min(_main(operands[0]), operands[1].bytes)
        if each.op == "scatter":
            return 2 * _main(operands[-1]) + _main(operands[1])
        if starts:
            return sum(map(_main, operands)) + sum(map(_main, _started(each, len(operands))))
        if each.op != "fusion":
            return sum(map(_main, operands)) + out
        return self._fused_moved(each)

    def _fused_moved(self, each: Instruction) -> float:
        inside = self._module.computations[each.called[0]]
        total = 0.0
        for parameter in (one for one in inside.values() if one.op == "parameter"):
            if not parameter.shapes or not parameter.shapes[0].in_main:
                continue
            total += min(parameter.shapes[0].bytes, self._used(inside, parameter))
        roots = [one for one in inside.values() if one.is_root]
        written = [inside[name] for name in roots[0].operands] if roots[0].op == "tuple" else roots
        for shape, root in zip(each.shapes, written, strict=False):
            total += _main(shape) if not _updates(inside, root) else min(_main(shape), _update(inside, root))
        return total

    def _used(self, inside: dict[str, Instruction], parameter: Instruction) -> float:
        """Return how much of a parameter a fused computation reads."""
        used, same = 0.0, {parameter.name}
        for each in inside.values():
            if not same.intersection(each.operands):
                continue
            if each.op in ("bitcast", "reshape"):
                same.add(each.name)
            elif each.op in _READS_A_PART and each.operands[0] in same:
                used += each.shapes[0].bytes
            elif each.op not in _WRITES_A_PART or each.operands[0] not in same:
                return float(parameter.shapes[0].bytes)
        return used


def _body(loop: Instruction) -> str:
    return (loop.attribute("body") or "").removeprefix("%")


def _started(each: Instruction, operands: int) -> tuple[Shape, ...]:
    """Return the results of an instruction that only starts something: in its shape they stand behind its operands."""
    if each.op == "copy-start":
        return each.shapes[:1]
    return each.shapes[operands : 2 * operands] or each.shapes[:operands]


def _main(shape: Shape) -> int:
    return shape.bytes if shape.in_main else 0


def _through(inside: dict[str, Instruction], each: Instruction) -> Instruction:
    while each.op in ("bitcast", "reshape", "copy") and each.operands and each.operands[0] in inside:
        each = inside[each.operands[0]]
    return each


def _updates(inside: dict[str, Instruction], root: Instruction) -> bool:
    return _through(inside, root).op in _WRITES_A_PART


def _update(inside: dict[str, Instruction], root: Instruction) -> int:
    found = _through(inside, root)
    update = inside.get(found.operands[1 if found.op == "dynamic-update-slice" else -1])
    return update.shapes[0].bytes if update else root.shapes[0].bytes


def _sent(kind: str, shapes: list[Shape] | tuple[Shape, ...], each: Instruction) -> float:
    """Return the bytes that a chip sends, as rings do: a part for each other member of its group."""
    size = sum(shape.bytes for shape in shapes)
    members = _members(each.rest)
    if members <= 1 and kind != "collective-permute":
        return 0.0
    share = (members - 1) / members if members > 1 else 1.0
    return {
        "all-reduce": 2 * size * share,
        "all-gather": size * (members - 1),
        "reduce-scatter": size * share,
        "all-to-all": size * share,
        "collective-permute": float(size),
    }[kind]


def _members(rest: str) -> int:
    """Return how many devices a collective's groups have, from any of the ways in which HLO writes them."""
    listed = re.search(r"replica_groups=\{\{([\d,]*)\}", rest)
    if listed:
        return len(listed.group(1).split(","))
    iota = re.search(r"replica_groups=\[(\d+),(\d+)\]", rest)
    if iota:
        return int(iota.group(2))
    mesh = re.search(r"replica_groups=mesh\[([^\]]*)\]\s*\{([^}]*)\}", rest)
    if mesh:
        sizes = dict(re.findall(r"'(\w+)'=(\d+)", mesh.group(1)))
        return math.prod(int(sizes[name]) for name in re.findall(r"'(\w+)'", mesh.group(2)))
    return 1


def _dot_flops(each: Instruction, operands: list[Shape]) -> float:
    contracting = re.search(r"lhs_contracting_dims=\{([\d,]*)\}", each.rest)
    dims = [int(dim) for dim in contracting.group(1).split(",") if dim] if contracting else []
    return 2.0 * math.prod(each.shapes[0].dims) * math.prod(operands[0].dims[dim] for dim in dims)


def _attention_flops(each: Instruction, operands: list[Shape]) -> float:
    """Count splash attention's products, of queries with the keys that they may see; other kernels count none.

    Queries [..., l, e] are the last ones of keys [..., m, e].
    """
    phase = re.match(r"splash_m[qh]a_([a-z]+)", each.name)
    if phase is None:
        return 0.0
    queries, keys = [shape for shape in operands if shape.dtype in ("bf16", "f32")][:2]
    length, width = queries.dims[-2:]
    seen = length * (keys.dims[-2] - (length - 1) / 2)
    return 2.0 * _ATTENTION_PRODUCTS[phase.group(1)] * math.prod(queries.dims[:-2]) * seen * width


def _convolution_flops(each: Instruction, operands: list[Shape]) -> float:
    """Count a convolution, as which TPUs' programs write every matrix product: a batch of them is a dimension of it."""
    labels = re.search(r"dim_labels=(\w+)_(\w+)->(\w+)", each.rest)
    if labels is None:
        return 0.0
    left, right, out = labels.groups()
    kernel, result = operands[1].dims, each.shapes[0].dims
    groups = int(each.attribute("feature_group_count") or 1)
    total = 2.0 * kernel[right.index("i")] * result[out.index("f")] * result[out.index("b")]
    total /= int(each.attribute("batch_group_count") or 1) if groups == 1 else 1
    windows = _windows(each.rest, sum(char.isdigit() for char in out))
    for dim, window in enumerate(windows):
        label = str(dim)
        total *= _positions(operands[0].dims[left.index(label)], result[out.index(label)], window)
    return total


def _windows(rest: str, number: int) -> list[dict[str, int]]:
    text = re.search(r"window=\{([^}]*)\}", rest)
    fields = dict(part.split("=") for part in text.group(1).split()) if text else {}
    found = []
    for dim in range(number):
        at = lambda name, default: fields[name].split("x")[dim] if name in fields else default  # noqa: B023, E731
        found.append({
            "size": int(at("size", "1")), "stride": int(at("stride", "1")), "low": int(at("pad", "0_0").split("_")[0]),
            "lhs": int(at("lhs_dilate", "1")), "rhs": int(at("rhs_dilate", "1")),
        })  # fmt: skip
    return found


def _positions(size: int, outputs: int, window: dict[str, int]) -> int:
    """Count the pairs of an output and a kernel position between which a value of the input lies."""
    at = np.arange(outputs)[:, None] * window["stride"] - window["low"] + np.arange(window["size"]) * window["rhs"]
    inside = (at >= 0) & (at <= (size - 1) * window["lhs"]) & (at % window["lhs"] == 0)
    return int(inside.sum())
