"""Will it fit: what decoding holds in a device's memory, counted from shapes before anything is allocated.

Caches and other state are counted exactly, from the shapes of the functions that make them. Of what a program needs
beside them only the largest part is estimated: copies of the logits, and the activations of the prompts read at a time.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh, NamedSharding

from procsup_jax.decode.engine import swap_size
from procsup_jax.errors import UserError
from procsup_jax.models import api
from procsup_jax.models.api import DecoderParams, Head, ModelConfig, Params, TreeShape
from procsup_jax.models.attention import MAX_QUERY_BLOCKS, MIN_QUERY_BLOCK
from procsup_jax.parallel import rules

# Float32 copies of a step's logits alive at a time: as they are, masked, filtered, their exponentials.
LOGIT_COPIES = 4
# How many logits of a row are alive at a time where given tokens are read under a policy: 128 MiB of float32.
READ_LOGITS = 2**25
# And of a block of attention's scores: as they are, masked, their exponentials.
SCORE_COPIES = 3
MEMINFO, CGROUP = pathlib.Path("/proc/meminfo"), pathlib.Path("/sys/fs/cgroup")


@dataclasses.dataclass(frozen=True)
class Size:
    """Hold what a user can make smaller: lanes, slots (None: whose number is part of the result) and the cache's type.

    Lanes come in multiples of `shards`, the devices that they are spread over; `head_shards` devices share each lane's
    key-value heads.
    """

    lanes: int
    slots: int | None
    cache_dtype: str
    shards: int = 1
    head_shards: int = 1

    def __str__(self) -> str:
        slots = "" if self.slots is None else f" slots={self.slots}"
        return f"lanes={self.lanes}{slots} cache_dtype={self.cache_dtype}"

    def smaller(self) -> Iterator[Size]:
        """Yield ever smaller sizes: half the lanes, a quarter and so on, then the same of the slots."""
        size = self
        while size.lanes > size.shards:
            size = dataclasses.replace(size, lanes=-(-size.lanes // (2 * size.shards)) * size.shards)
            yield size
        while size.slots is not None and size.slots > 1:
            size = dataclasses.replace(size, slots=size.slots // 2)
            yield size


def with_cache_dtype(config: ModelConfig, cache_dtype: str) -> ModelConfig:
    """Return the config with caches of this type; "" leaves it as it is."""
    return dataclasses.replace(config, cache_dtype=cache_dtype) if cache_dtype else config


def size_of(config: ModelConfig, lanes: int, slots: int | None, mesh: Mesh | None) -> Size:
    """Return the size that a user asks for."""
    tensor = 1 if mesh is None else mesh.shape["tensor"]
    head_shards = 1 if config.num_kv_heads % tensor else tensor
    return Size(lanes, slots, config.cache_dtype or config.dtype, rules.batch_shards(mesh), head_shards)


class Number(NamedTuple):
    """Name a number that is part of a result, and what a size needs with another one, in bytes."""

    flag: str
    number: int
    need: Callable[[Size, int], int]


def check(
    what: str, size: Size, need: Callable[[Size], int], mesh: Mesh | None, numbers: Sequence[Number] = ()
) -> None:
    """Raise UserError, with sizes that would fit, when a device has less memory left than `need` says, in bytes.

    Where no size does, the error says how much of one of the `numbers` would fit, if that alone is too much.
    """
    room = available(mesh)
    if room is None or need(size) <= room:
        return
    slots = None if size.slots is None else 1
    least = dataclasses.replace(size, lanes=size.shards, slots=slots, cache_dtype="bfloat16")
    if need(least) > room:
        for each in numbers:
            need_of = functools.partial(each.need, least)
            if need_of(1) <= room:
                check_number(what, each.flag, each.number, need_of, mesh)
    half = dataclasses.replace(size, cache_dtype="bfloat16")
    choices = [next((each for each in size.smaller() if need(each) <= room), None)]
    if size != half:
        fitting_half = [half, *([] if choices[0] else half.smaller())]
        choices.append(next((each for each in fitting_half if need(each) <= room), None))
    fits = [f"{each} ({_gib(need(each))})" for each in choices if each is not None]
    fix = f"set {' or '.join(fits)}" if fits else "no setting of these is small enough: take a smaller model"
    where = "are available" if mesh is None else "are available on each device"
    raise UserError(f"{what} with {size} needs {_gib(need(size))} of memory and {_gib(room)} {where}: {fix}")


def sampling_bytes(
    config: ModelConfig,
    params: Params,
    make_state: Callable[[ModelConfig, int, int], Any],
    lens: tuple[int, int],
    size: Size,
) -> int:
    """Return what sampling with `make_state(config, lanes, slots)` needs on each device, beside the params given.

    `lens` are the rooms for a lane's prompt and for a slot's sample.
    """
    config = dataclasses.replace(config, cache_dtype=size.cache_dtype)
    state = state_bytes(jax.eval_shape(functools.partial(make_state, config, size.lanes, size.slots or 1)), size)
    rows = size.lanes * (size.slots or 1)
    step = logit_bytes(config, rows) + widened_bytes(config, rows, lens[1])
    read = prompt_bytes(config, swap_size(size.lanes), lens[0])
    return -(-(state + max(step, read)) // size.shards) + decoder_bytes(config, params)


def state_bytes(state: Any, size: Size) -> int:
    """Return the size of a state whose caches are split over heads too, as if each device had all of the lanes."""
    nodes = jax.tree.leaves(state, is_leaf=lambda node: isinstance(node, api.KV))
    return sum(tree_bytes(node) // (size.head_shards if isinstance(node, api.KV) else 1) for node in nodes)


def check_number(
    what: str, flag: str, number: int, need: Callable[[int], int], mesh: Mesh | None, step: int = 1
) -> None:
    """Raise UserError, with a number that would fit, when a device has less memory than `need(number)` says.

    Numbers come in multiples of `step`.
    """
    room = available(mesh)
    if room is None or need(number) <= room:
        return
    fitting = number // 2 // step * step
    while fitting and need(fitting) > room:
        fitting = fitting // 2 // step * step
    fix = f"set {flag}={fitting} ({_gib(need(fitting))}) or less" if fitting else "take a smaller model"
    where = "are available" if mesh is None else "are available on each device"
    raise UserError(f"{what} with {flag}={number} needs {_gib(need(number))} of memory and {_gib(room)} {where}: {fix}")


def tree_row_bytes(config: ModelConfig, head: Head | None, shape: TreeShape) -> int:
    """Return what reading a row of prompts and solutions takes beside the parameters: one layer's, and of logits.

    A solution's queries attend in blocks to its prompt and to itself, keys and values gathered for each. Without a head
    the tokens' log-probabilities are read.
    """
    p, t, width = shape.prompt_len, shape.branch_len, config.num_heads * config.head_dim
    tokens = shape.num_tokens * (6 * config.d_model + 3 * config.d_ff + 2 * width)
    gathered = shape.num_branches * (2 * (p + t) * config.num_kv_heads * config.head_dim + 3 * t * width)
    block = max(MIN_QUERY_BLOCK, -(-t // MAX_QUERY_BLOCKS))
    scores = SCORE_COPIES * shape.num_branches * config.num_heads * min(block, t) * (p + t)
    if head is None:
        rows = min(shape.num_tokens, max(1, READ_LOGITS // config.vocab_size))
    else:
        rows = head.num_logit_rows(config, 1, shape.num_tokens)
    logits = LOGIT_COPIES * rows * config.vocab_size
    return 4 * (tokens + gathered + max(scores, logits))


def decoder_bytes(config: ModelConfig, params: Params | DecoderParams) -> int:
    """Return the size of a device's part of the copy that decoding makes of parameters, if it does not read these."""
    if isinstance(params, DecoderParams):
        return 0
    dparams = jax.eval_shape(functools.partial(api.unstack, config, donate=False), params)
    places = (getattr(leaf, "sharding", None) for leaf in jax.tree.leaves(params))
    mesh = next((place.mesh for place in places if isinstance(place, NamedSharding)), None)
    if mesh is None:
        return tree_bytes(dparams)
    return rules.bytes_on_device(mesh, api.decoder_axes(config, dparams), dparams)


def logit_bytes(config: ModelConfig, rows: int) -> int:
    """Return the size of the logits of so many rows, with the copies that drawing from them makes."""
    return LOGIT_COPIES * rows * config.vocab_size * 4


def prompt_bytes(config: ModelConfig, rows: int, length: int, head: Head | None = None) -> int:
    """Return what reading prompts takes beside the caches they go to: a copy of these, and one layer's activations."""
    return kv_bytes(config, rows, length, head) + rows * length * (4 * config.d_model + 3 * config.d_ff) * 4


def kv_bytes(config: ModelConfig, rows: int, capacity: int, head: Head | None = None) -> int:
    """Return the size of a cache."""
    return tree_bytes(jax.eval_shape(functools.partial(api.init_kv, config, rows, capacity, head)))


def widened_bytes(config: ModelConfig, rows: int, capacity: int) -> int:
    """Return the size of one layer's keys and values as they are read, where that is more than they are kept in."""
    kept = dataclasses.replace(config, num_layers=1, shift_width=0)
    read = kv_bytes(dataclasses.replace(kept, cache_dtype=config.dtype), rows, capacity)
    return read if read > kv_bytes(kept, rows, capacity) else 0


def tree_bytes(tree: Any) -> int:
    """Return the size of all arrays, or of arrays of these shapes."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def available(mesh: Mesh | None) -> int | None:
    """Return how many bytes a device of this process has left, the fewest of all; None where nothing tells."""
    devices = jax.local_devices()[:1] if mesh is None else list(mesh.local_devices)
    if devices[0].platform == "cpu":
        room = host_bytes()
        return None if room is None else room // len(devices)
    stats = [device.memory_stats() or {} for device in devices]
    if not all("bytes_limit" in each for each in stats):
        return None
    return min(each["bytes_limit"] - each.get("bytes_in_use", 0) for each in stats)


def host_bytes(meminfo: pathlib.Path = MEMINFO, cgroup: pathlib.Path = CGROUP) -> int | None:
    """Return the bytes of the host's memory that can still be had, within the control group's limit if it has one."""
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, ValueError, KeyError):
        return None
    try:
        # What the group holds of files it will not touch again is given up before the limit is reached.
        stats = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
        limit, used = (int((cgroup / f"memory.{name}").read_text()) for name in ("max", "current"))
        return min(free, limit - used + int(stats.get("inactive_file", 0)))
    except (OSError, ValueError):  # no limit, which "max" says as well
        return free


def _gib(num_bytes: int) -> str:
    return f"{num_bytes / 2**30:.3g} GiB"
