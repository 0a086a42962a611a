"""Attention over packed documents by the kernel that suits the device, behind one function.

`plain` is `attention.packed_attention`, and what every other one is tested against. `splash` and `flash` are JAX's
Pallas kernels for TPUs, `cudnn` is cuDNN's fused attention on NVIDIA's GPUs. Attention from caches stays plain: a token
of a slot there reads a prefix that all slots of its lane share, once for all of them, which none of these kernels does.
Axis letters as in `attention`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from procsup_jax.errors import UserError
from procsup_jax.models.attention import packed_attention
from procsup_jax.models.config import AttentionKernel
from procsup_jax.parallel import rules

PLATFORMS = {"splash": "tpu", "flash": "tpu", "cudnn": "gpu"}
# What both TPU kernels want lengths to be multiples of, and what is read at a time where a length allows it.
LANES = 128
BLOCKS = (512, 256, LANES)
# Splash keeps a few words of each pair of blocks in scalar memory, of which a TPU has about a megabyte.
MAX_BLOCK_PAIRS = 2**16
# By compute capability: cuDNN's fused attention needs an Ampere, and takes wider heads from Hopper on.
AMPERE, HOPPER = 8.0, 9.0
CUDNN_MAX_HEAD_DIM = {AMPERE: 128, HOPPER: 256}
_PADDING = -1

Attend = Callable[[jax.Array, jax.Array, jax.Array, jax.Array], jax.Array]


def attend(
    kernel: AttentionKernel, q_rkgle: jax.Array, k_rkme: jax.Array, v_rkme: jax.Array, segments_rm: jax.Array
) -> jax.Array:
    """Return what `packed_attention` does, computed by a kernel; "auto" takes the best that the device has.

    On a mesh every device attends in its own rows and heads. The device is that of the mesh, which need not be at hand,
    or else JAX's default one. Raises UserError for a kernel that the device, the type or the sizes rule out.
    """
    chosen = choose(kernel, platform(), q_rkgle, k_rkme)
    if chosen == "plain":
        return packed_attention(q_rkgle, k_rkme, v_rkme, segments_rm)
    kernels: dict[str, Attend] = {"splash": splash, "flash": flash, "cudnn": cudnn}
    return per_device(kernels[chosen], q_rkgle, k_rkme, v_rkme, segments_rm)


def platform() -> str:
    """Return "cpu", "gpu" or "tpu": of the mesh in use, or of JAX's default device."""
    device = jax.sharding.get_abstract_mesh().abstract_device
    return jax.default_backend() if device is None else str(device.platform)


def choose(kernel: AttentionKernel, on: str, q_rkgle: jax.Array, k_rkme: jax.Array) -> AttentionKernel:
    """Return the kernel that "auto" stands for on a platform, or the named one.

    Raises UserError where the named one cannot do it.
    """
    if kernel == "auto":
        names: tuple[AttentionKernel, ...] = ("splash", "flash", "cudnn")
        return next((name for name in names if not _obstacle(name, on, q_rkgle, k_rkme)), "plain")
    obstacle = _obstacle(kernel, on, q_rkgle, k_rkme)
    if obstacle:
        raise UserError(f"model attention={kernel!r}: {obstacle}; use 'auto' or 'plain'")
    return kernel


def per_device(
    fn: Attend, q_rkgle: jax.Array, k_rkme: jax.Array, v_rkme: jax.Array, segments_rm: jax.Array
) -> jax.Array:
    """Call a kernel, which no partitioner can cut, on each device's own rows and key-value heads."""
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty:
        return fn(q_rkgle, k_rkme, v_rkme, segments_rm)
    axes = ("rows", "kv_heads", None, None, None)
    q_spec, kv_spec = (rules.spec_here(axes[: a.ndim], a.shape) for a in (q_rkgle, k_rkme))
    specs = q_spec, kv_spec, kv_spec, PartitionSpec(q_spec[0], None)
    # Where the batch is split already (`split`), the other axes are left.
    free = frozenset(mesh.axis_names) - frozenset(mesh.manual_axes)
    return jax.shard_map(fn, in_specs=specs, out_specs=q_spec, axis_names=free, check_vma=False)(
        q_rkgle, k_rkme, v_rkme, segments_rm
    )


def splash(
    q_rkgle: jax.Array, k_rkme: jax.Array, v_rkme: jax.Array, segments_rm: jax.Array, *, interpret: bool = False
) -> jax.Array:
    """Attend by splash attention, which skips blocks above the diagonal and reads grouped heads' keys once."""
    # Pallas for TPUs takes a while to import, and nothing else needs it.
    from jax.experimental.pallas.ops.tpu import splash_attention

    g, length, e = q_rkgle.shape[2:]
    m = k_rkme.shape[2]
    block_q, block_kv = block_of(length), block_of(m)
    q = _padded(_scaled(q_rkgle), 3, block_q)
    k, v = (_padded(part, 2, block_kv) for part in (k_rkme, v_rkme))
    own = splash_attention.SegmentIds(
        _padded(segments_rm[:, m - length :], 1, block_q, _PADDING), _padded(segments_rm, 1, block_kv, _PADDING)
    )
    mask = splash_attention.CausalMask((q.shape[3], k.shape[2]), offset=m - length)
    sizes = splash_attention.BlockSizes(
        block_q=block_q, block_kv=block_kv, block_kv_compute=block_kv, block_q_dkv=block_q, block_kv_dkv=block_kv,
        block_kv_dkv_compute=block_kv, block_q_dq=block_q, block_kv_dq=block_kv,
    )  # fmt: skip
    kernel = splash_attention.make_splash_mqa_single_device(
        mask=splash_attention.MultiHeadMask([mask] * g), block_sizes=sizes, interpret=interpret
    )
    by_head = jax.vmap(kernel, in_axes=(0, 0, 0, None))
    return jax.vmap(by_head)(q, k, v, own)[:, :, :, :length].astype(q_rkgle.dtype)


def flash(q_rkgle: jax.Array, k_rkme: jax.Array, v_rkme: jax.Array, segments_rm: jax.Array) -> jax.Array:
    """Attend by flash attention, which has no limit to lengths but repeats the keys that heads share.

    It knows no queries at the end of more keys: others are put before them.
    """
    from jax.experimental.pallas.ops.tpu import flash_attention

    r, k, g, length, e = q_rkgle.shape
    m = k_rkme.shape[2]
    block = block_of(m)
    q = jnp.pad(_scaled(q_rkgle), ((0, 0), (0, 0), (0, 0), (m - length, 0), (0, 0)))
    q = _padded(q, 3, block).reshape(r, k * g, -1, e)
    keys, values = (jnp.repeat(_padded(part, 2, block), g, axis=1) for part in (k_rkme, v_rkme))
    segments = _padded(segments_rm, 1, block, _PADDING)
    sizes = flash_attention.BlockSizes(
        block_q=block, block_k_major=block, block_k=block, block_b=1, block_q_major_dkv=block, block_k_major_dkv=block,
        block_k_dkv=block, block_q_dkv=block, block_k_major_dq=block, block_k_dq=block, block_q_dq=block,
    )  # fmt: skip
    ids = flash_attention.SegmentIds(segments, segments)
    out = flash_attention.flash_attention(q, keys, values, segment_ids=ids, causal=True, block_sizes=sizes)
    return out[:, :, m - length : m].reshape(q_rkgle.shape).astype(q_rkgle.dtype)


def cudnn(
    q_rkgle: jax.Array,
    k_rkme: jax.Array,
    v_rkme: jax.Array,
    segments_rm: jax.Array,
    *,
    implementation: Literal["cudnn", "xla"] = "cudnn",
) -> jax.Array:
    """Attend by cuDNN's fused attention; which keys a query may see goes in as a bias [r, l, m] for all heads."""
    r, k, g, length, e = q_rkgle.shape
    m = k_rkme.shape[2]
    # Its backward pass takes a bias of even lengths only.
    queries = _padded(q_rkgle.reshape(r, k * g, length, e), 2, 2).swapaxes(1, 2)
    keys, values = (_padded(part, 2, 2).swapaxes(1, 2) for part in (k_rkme, v_rkme))
    q_segments = _padded(segments_rm[:, m - length :], 1, 2, _PADDING)
    kv_segments = _padded(segments_rm, 1, 2, _PADDING)
    causal_lm = jnp.arange(m - length, m - length + queries.shape[1])[:, None] >= jnp.arange(keys.shape[1])
    # A query that sees nothing, which only padding could be, would be no number.
    mask_rlm = causal_lm & ((q_segments[:, :, None] == kv_segments[:, None]) | (q_segments[:, :, None] == _PADDING))
    out = jax.nn.dot_product_attention(
        queries, keys, values, mask=mask_rlm[:, None], is_causal=length == m, implementation=implementation
    )
    return out[:, :length].swapaxes(1, 2).reshape(q_rkgle.shape)


def block_of(length: int) -> int:
    """Return how many positions to read at a time: many, as far as padding to multiples of them adds little."""
    least = -(-length // LANES) * LANES
    return next(min(block, least) for block in BLOCKS if -(-length // block) * block <= max(least, length * 9 // 8))


def _obstacle(kernel: str, on: str, q_rkgle: jax.Array, k_rkme: jax.Array) -> str:
    """Say why a kernel cannot do it; "" where it can."""
    if kernel == "plain":
        return ""
    needed, e = PLATFORMS[kernel], q_rkgle.shape[-1]
    if on != needed:
        return f"it is for {needed.upper()}s, and this runs on a {on.upper()}"
    length, m = q_rkgle.shape[3], k_rkme.shape[2]
    if kernel == "splash":
        pairs = math.ceil(length / block_of(length)) * math.ceil(m / block_of(m))
        if pairs > MAX_BLOCK_PAIRS:
            return f"rows of {m} tokens have {pairs} pairs of blocks, expected at most {MAX_BLOCK_PAIRS}"
    if kernel == "flash" and e > LANES and e % LANES:
        return f"head_dim={e}, expected up to {LANES} or a multiple of it"
    if kernel == "cudnn":
        capability = gpu_capability()
        widest = CUDNN_MAX_HEAD_DIM[HOPPER if capability >= HOPPER else AMPERE]
        if q_rkgle.dtype not in (jnp.bfloat16, jnp.float16):
            return f"dtype={q_rkgle.dtype}, expected bfloat16"
        if e > widest or e % 8:
            return f"head_dim={e}, expected a multiple of 8 up to {widest}"
        if capability < AMPERE:
            return f"the GPU's compute capability is {capability:g}, expected {AMPERE:g} or more"
    return ""


def gpu_capability() -> float:
    """Return the compute capability of this machine's GPU, Ampere's where programs are compiled for one elsewhere."""
    if jax.default_backend() != "gpu":
        return AMPERE
    found = str(getattr(jax.local_devices()[0], "compute_capability", ""))
    # AMD's GPUs have names there.
    return float(found) if found.replace(".", "", 1).isdigit() else 0.0


def _scaled(q_rkgle: jax.Array) -> jax.Array:
    return (q_rkgle.astype(jnp.float32) * q_rkgle.shape[-1] ** -0.5).astype(q_rkgle.dtype)


def _padded(array: jax.Array, axis: int, multiple: int, value: int = 0) -> jax.Array:
    """Pad an axis at its end to a multiple."""
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, -array.shape[axis] % multiple)
    return jnp.pad(array, widths, constant_values=value)
