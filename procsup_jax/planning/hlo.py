"""Read the text of a compiled program: its computations, their instructions, and how often loops run."""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections.abc import Iterator

# Bytes of an element; types of less than a byte count as one.
_SIZES = {"f64": 8, "s64": 8, "u64": 8, "c64": 8, "f32": 4, "s32": 4, "u32": 4, "bf16": 2, "f16": 2, "s16": 2, "u16": 2}
_SHAPE = re.compile(r"([a-z][a-z0-9]*)\[([0-9,]*)\](\{[^}]*\})?")
_INSTRUCTION = re.compile(r"^\s*(ROOT )?%?([\w.\-]+) = (.*?) ([a-z][a-z0-9\-]*)\((.*)$")
_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{$")
_NAME = re.compile(r"%([\w.\-]+)")
_CALLED = re.compile(r"(?:calls|to_apply|body|condition|true_computation|false_computation)=%([\w.\-]+)")
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")


@dataclasses.dataclass(frozen=True)
class Shape:
    """Hold an array's type and sizes, and whether it lies in the device's main memory (not in a core's own)."""

    dtype: str
    dims: tuple[int, ...]
    in_main: bool = True

    @property
    def bytes(self) -> int:
        """Return its size."""
        return math.prod(self.dims) * _SIZES.get(self.dtype, 1)


@dataclasses.dataclass(frozen=True)
class Instruction:
    """Hold one instruction; `rest` is its text after the operands."""

    name: str
    op: str
    shapes: tuple[Shape, ...]
    operands: tuple[str, ...]
    literal: str
    rest: str
    is_root: bool

    @functools.cached_property
    def called(self) -> tuple[str, ...]:
        """Return the computations that it names."""
        branches = _BRANCHES.search(self.rest)
        return (*_CALLED.findall(self.rest), *(_NAME.findall(branches.group(1)) if branches else ()))

    def attribute(self, name: str) -> str | None:
        """Return the text behind `name=`, a brace or a word."""
        found = re.search(rf"\b{name}=(\{{[^}}]*\}}|[^,\s]+)", self.rest)
        return found.group(1) if found else None


@dataclasses.dataclass(frozen=True)
class Module:
    """Hold a program's computations by name, each with its instructions by name, and which one it starts with."""

    computations: dict[str, dict[str, Instruction]]
    entry: str

    def root(self, computation: str) -> Instruction:
        """Return what a computation returns."""
        return next(each for each in self.computations[computation].values() if each.is_root)

    def trips(self, loop: Instruction, computation: str) -> int | None:
        """Return how often a `while` in a computation runs, None where only its data say.

        It is read from the condition, a comparison of a counter with a constant, as XLA writes counted loops.
        """
        known = re.search(r'"known_trip_count":\{"n":"(\d+)"', loop.rest)
        if known:
            return int(known.group(1))
        condition, body = (re.search(rf"\b{name}=%([\w.\-]+)", loop.rest) for name in ("condition", "body"))
        if condition is None or body is None:
            return None
        test = self._through(condition.group(1), self.root(condition.group(1)))
        if test is None or test[1].op != "compare" or test[1].attribute("direction") not in ("LT", "NE"):
            return None
        where, compare = test
        counter, end = (self._resolve(where, name) for name in compare.operands)
        index = None if counter is None else counter.attribute("index")
        start_tuple = self.computations[computation].get(loop.operands[0])
        if index is None or start_tuple is None or start_tuple.op != "tuple":
            return None
        bound = self._value(end)
        if bound is None and end is not None and end.op == "get-tuple-element":
            bound = self._value(self._resolve(computation, start_tuple.operands[int(end.attribute("index") or 0)]))
        start = self._value(self._resolve(computation, start_tuple.operands[int(index)]))
        step = self._step(body.group(1), int(index))
        if bound is None or start is None or step is None:
            return None
        return max(0, -(-(bound - start) // step))

    def _step(self, body: str, index: int) -> int | None:
        """Return what a loop's body adds to its counter."""
        root = self.root(body)
        if root.op != "tuple":
            return None
        found = self._through(body, self._resolve(body, root.operands[index]))
        if found is None or found[1].op != "add":
            return None
        values = [self._value(self._resolve(found[0], name)) for name in found[1].operands]
        return next((value for value in values if value), None)

    def _through(self, computation: str, found: Instruction | None) -> tuple[str, Instruction] | None:
        """Follow a fusion to the root of what it fuses."""
        if found is None:
            return None
        if found.op == "fusion" and found.called:
            return self._through(found.called[0], self.root(found.called[0]))
        return computation, found

    def _resolve(self, computation: str, name: str) -> Instruction | None:
        """Follow copies and, out of a fused computation, its parameters."""
        found = self.computations[computation].get(name)
        while found is not None and found.op in ("copy", "bitcast", "convert", "reshape") and found.operands:
            found = self.computations[computation].get(found.operands[0])
        if found is not None and found.op == "parameter":
            caller = self._callers.get(computation)
            if caller is not None and caller[1].op == "fusion":
                return self._resolve(caller[0], caller[1].operands[int(found.literal)])
        return found

    @functools.cached_property
    def _callers(self) -> dict[str, tuple[str, Instruction]]:
        return {
            called: (name, each)
            for name, instructions in self.computations.items()
            for each in instructions.values()
            for called in each.called
        }

    @staticmethod
    def _value(found: Instruction | None) -> int | None:
        if found is None or found.op != "constant" or not re.fullmatch(r"-?\d+", found.literal):
            return None
        return int(found.literal)


def parse(text: str) -> Module:
    """Read what `compiled.as_text()` returns."""
    computations: dict[str, dict[str, Instruction]] = {}
    entry, current = "", None
    for line in text.splitlines():
        start = _COMPUTATION.match(line)
        if start:
            current = computations.setdefault(start.group(2), {})
            entry = start.group(2) if start.group(1) else entry
        elif current is not None:
            found = _INSTRUCTION.match(line)
            if found:
                each = _instruction(*found.groups())
                current[each.name] = each
    return Module(computations, entry)


def _instruction(root: str | None, name: str, shape: str, op: str, rest: str) -> Instruction:
    depth, end = 1, len(rest)
    for i, char in enumerate(rest):
        depth += (char in "({") - (char in ")}")
        if depth == 0:
            end = i
            break
    inside = rest[:end]
    return Instruction(
        name, op, tuple(_shapes(shape)), tuple(_NAME.findall(inside)), inside.strip(), rest[end + 1 :], bool(root)
    )


def _shapes(text: str) -> Iterator[Shape]:
    for dtype, dims, layout in _SHAPE.findall(text):
        yield Shape(dtype, tuple(map(int, dims.split(","))) if dims else (), not re.search(r"S\([1-9]", layout))
