"""Damage to good files: of their bytes, and of the values of JSON in them. Everything is drawn from one `Random`."""

from __future__ import annotations

import copy
import json
import random
import struct
from collections.abc import Callable
from typing import Any

# Stand for what json.dumps cannot write.
_RAW = {
    "\x01huge": "1e999",
    "\x01minus": "-1e999",
    "\x01nan": "NaN",
    "\x01inf": "Infinity",
    "\x01deep": "[" * 3000 + "]" * 3000,
    "\x01nested": '{"a":' * 600 + "1" + "}" * 600,
    "\x01digits": "9" * 5000,
    "\x01long": "9" * 400 + ".5",
    "\x01half": '"\\ud800"',
}
_ODD: tuple[Any, ...] = (
    *_RAW, None, True, False, 0, 1, -1, 0.5, -0.5, 2, 3, 7, 10**9, 2**31, 2**32, 2**40, 2**63, 2**64, -(2**63), 10**30,
    1e308, 1e-320, "", " ", "0", "x", "\0", "\n", "é", "\u2028", "x" * 5000, [], {}, [[]], [None], [1], ["a"], [{}],
    {"a": 1}, [1e300], ["x", 3], {"": None},
)  # fmt: skip


def damage(rng: random.Random, name: str, content: bytes) -> bytes:
    """Return a file's content with one to three things wrong."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        changes: list[Callable[[random.Random, bytes], bytes]] = list(_BYTES)
        if name.endswith(".jsonl"):
            changes += [_json_line] * 2 * len(_BYTES)
        elif name.endswith(".json"):
            changes += [_json_value] * 2 * len(_BYTES)
        elif name.endswith(".safetensors"):
            changes += [_tensors_header] * len(_BYTES)
        content = rng.choice(changes)(rng, content)
    return content


def _place(rng: random.Random, content: bytes) -> int:
    """Return a place in a file, in every other draw one of its first bytes, where sizes and counts stand."""
    return rng.randrange(1 + min(len(content), rng.choice((64, len(content)))))


def _cut(rng: random.Random, content: bytes) -> bytes:
    return content[: _place(rng, content)]


def _flip(rng: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.randrange(1, 9)):
        if changed:
            changed[min(_place(rng, content), len(changed) - 1)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _overwrite(rng: random.Random, content: bytes) -> bytes:
    at, size = _place(rng, content), rng.choice((1, 4, 8, 200))
    new = rng.choice((rng.randbytes(size), b"\xff" * size, b"\0" * size))
    return content[:at] + new + content[at + size :]


def _insert(rng: random.Random, content: bytes) -> bytes:
    at = _place(rng, content)
    return content[:at] + rng.choice((b"\0", b"\xff\xfe", b"\n", b"{", b'"', rng.randbytes(16))) + content[at:]


def _move(rng: random.Random, content: bytes) -> bytes:
    first, last = sorted((_place(rng, content), rng.randrange(1 + len(content))))
    return rng.choice((content[:first] + content[last:], content + content[first:last]))


def _whole(rng: random.Random, content: bytes) -> bytes:
    return rng.choice(
        (
            b"", b"\n", b"{}", b"[]", b"null", b"3", b'"x"', b"\xef\xbb\xbf" + content, content.replace(b"\n", b"\r\n"),
            content.replace(b" ", b"\xa0"), content.decode("utf-8", "replace").encode("utf-16"), content * 2,
            content + b"\0", b"\0" * 1000, b"[" * 5000, rng.randbytes(300), b"PK\x03\x04", b"\x80\x04K\x01.",
        )
    )  # fmt: skip


_BYTES = (_cut, _flip, _overwrite, _insert, _move, _whole)


def _json_line(rng: random.Random, content: bytes) -> bytes:
    lines = content.split(b"\n")
    at = rng.randrange(len(lines))
    lines[at] = _json_value(rng, lines[at])
    if rng.random() < 0.1:
        lines.insert(rng.randrange(len(lines)), rng.choice(lines))
    return b"\n".join(lines)


def _json_value(rng: random.Random, content: bytes) -> bytes:
    try:
        holder = [json.loads(content)]
        parent, key = rng.choice(_places(holder)[:2000])
    except (ValueError, RecursionError):
        return _flip(rng, content)
    match rng.randrange(6):
        case 0 if isinstance(parent, dict):
            del parent[key]
        case 1 if isinstance(parent, dict):
            parent[rng.choice(("", "new", key + " ", key.upper(), "uid", "\0"))] = parent.pop(key)
        case 2:
            parent[key] = _other_type(rng, parent[key])
        case 3 if isinstance(parent, list) and parent is not holder:
            rng.choice((parent.clear, lambda: parent.append(parent[key]), lambda: parent.pop(key)))()
        case _:
            parent[key] = copy.deepcopy(rng.choice(_ODD))
    text = json.dumps(holder[0], ensure_ascii=rng.random() < 0.5)
    for mark, raw in _RAW.items():
        text = text.replace(json.dumps(mark), raw)
    return text.encode("utf-8", "surrogatepass")


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return every place in a JSON value as what holds it and its key there."""
    keys = range(len(value)) if isinstance(value, list) else list(value) if isinstance(value, dict) else ()
    found = [(value, key) for key in keys]
    return found + [place for key in keys for place in _places(value[key])]


def _other_type(rng: random.Random, value: Any) -> Any:
    match value:
        case bool():
            return int(value)
        case int() | float():
            return rng.choice((str(value), [value], -value, value + 0.5, float(value), value * 1000, value + 1))
        case str():
            return rng.choice(([value], {value: value}, len(value), value * 2, value[:-1]))
        case list():
            return rng.choice((dict(enumerate(map(str, value))), str(value), [value], value * 2, value[::-1]))
        case dict():
            return rng.choice((list(value), [value], str(value), list(value.values())))
    return "null"


def _tensors_header(rng: random.Random, content: bytes) -> bytes:
    """Change the JSON header of a safetensors file, its length set right."""
    if len(content) < 8:
        return content
    [size] = struct.unpack("<Q", content[:8])
    header = _json_value(rng, content[8 : 8 + size])
    return struct.pack("<Q", len(header)) + header + content[8 + size :]
