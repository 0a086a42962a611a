"""What programs take by XLA's own account of the compiled program: bytes held at a time, and FLOPs. Nothing is run."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp

from procsup_jax.models import api
from procsup_jax.models.config import Remat
from procsup_jax.parallel import mesh as meshes
from procsup_jax.parallel import rules
from procsup_jax.training import losses

Record = dict[str, Any]

LOSS = {"rows": 8, "seq_len": 1024, "d_model": 512, "vocab_size": 256_000}
MESHES = (meshes.MeshSettings(), meshes.MeshSettings(2, 2, 2))
LAYERS = {"rows": 4, "seq_len": 1024}
REMAT: tuple[Remat, ...] = ("none", "dots", "dots_no_batch", "full")


def records() -> Iterator[Record]:
    """Yield a record for each way to compute the loss of a large vocabulary, then for each remat policy."""
    jax.config.update("jax_num_cpu_devices", 8)
    for settings, (how, fn) in itertools.product(MESHES, WAYS.items()):
        yield {"benchmark": "memory", "program": "loss", "how": how, **LOSS} | _mesh(settings) | loss(fn, settings)
    for policy in REMAT:
        yield {"benchmark": "memory", "program": "layers", "how": policy, "size": "135m", **LAYERS} | layers(policy)


def loss(fn: Callable[..., jax.Array], settings: meshes.MeshSettings, **changes: int) -> Record:
    """Return what a loss and its gradients hold on each device, given hidden states [b, l, d] and the table [v, d]."""
    sizes = {**LOSS, **changes}
    b, length, d, v = (sizes[name] for name in ("rows", "seq_len", "d_model", "vocab_size"))
    mesh = meshes.mesh_or_none(settings)
    arrays = {
        ("batch", "length", "act_embed"): jax.ShapeDtypeStruct((b, length, d), jnp.bfloat16),
        ("vocab", "embed"): jax.ShapeDtypeStruct((v, d), jnp.float32),
        ("batch", "length"): jax.ShapeDtypeStruct((b, length), jnp.int32),
    }
    if mesh is not None:
        arrays = {
            axes: jax.ShapeDtypeStruct(each.shape, each.dtype, sharding=rules.sharding(mesh, axes, each.shape))
            for axes, each in arrays.items()
        }
    with rules.use(mesh):
        return _held(jax.jit(jax.grad(fn, (0, 1))).lower(*arrays.values()).compile())


def layers(policy: Remat) -> Record:
    """Return what the layers' forward and backward pass holds; FLOPs are those of one layer, as XLA counts a loop."""
    config = api.preset("135m", 256, remat=policy)

    def total(params: api.Params, ids_bl: jax.Array) -> jax.Array:
        return api.hidden(config, params, ids_bl, ids_bl, ids_bl).sum()

    ids_bl = jax.ShapeDtypeStruct((LAYERS["rows"], LAYERS["seq_len"]), jnp.int32)
    compiled: Any = jax.jit(jax.grad(total)).lower(api.abstract_params(config), ids_bl).compile()
    return _held(compiled) | {"gflops": round(compiled.cost_analysis()["flops"] / 1e9, 1)}


def _whole(hidden_bld: jax.Array, table_vd: jax.Array, targets_bl: jax.Array) -> jax.Array:
    config = api.preset("0.1m", table_vd.shape[0])
    logits_blv = api.unembed(config, {"embedding": table_vd}, hidden_bld)
    return losses.lm_sums(logits_blv, targets_bl, jnp.ones_like(targets_bl, jnp.float32)).loss


def _token_pieces(hidden_bld: jax.Array, table_vd: jax.Array, targets_bl: jax.Array) -> jax.Array:
    def piece(hidden_btd: jax.Array, targets_bt: jax.Array) -> jax.Array:
        return _whole(hidden_btd, table_vd, targets_bt)

    return api.map_chunks(piece, table_vd.shape[0], hidden_bld, targets_bl).sum()


def _vocabulary_pieces(hidden_bld: jax.Array, table_vd: jax.Array, targets_bl: jax.Array) -> jax.Array:
    config = api.preset("0.1m", table_vd.shape[0])
    return api.cross_entropy(config, {"embedding": table_vd}, hidden_bld, targets_bl)[0].sum()


# The second is how the loss was computed before the third.
WAYS = {"whole": _whole, "pieces of tokens": _token_pieces, "pieces of the vocabulary": _vocabulary_pieces}


def _mesh(settings: meshes.MeshSettings) -> Record:
    return {"mesh": [settings.data, settings.fsdp, settings.tensor]}


def _held(compiled: Any) -> Record:
    """Return the megabytes that a program holds besides its arguments and results."""
    return {"temporary_mb": round(compiled.memory_analysis().temp_size_in_bytes / 1e6)}
