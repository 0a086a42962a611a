"""A model's parameters as one file of tensors: written from any placement, read straight into another."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from jax.sharding import Mesh

from procsup_jax import places
from procsup_jax.errors import UserError
from procsup_jax.io.digest import Digest, to_host
from procsup_jax.io.kinds import Dtype
from procsup_jax.io.tensors import TensorFile, open_tensors
from procsup_jax.models import api, paths
from procsup_jax.parallel import rules

PARAMS = places.MODEL_PARAMS
STORED = {"float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}


def to_arrays(params: api.Params, dtype: Dtype | str) -> tuple[dict[str, np.ndarray], str]:
    """Return the parameters by name as they are stored, and the digest of them all.

    16-bit types halve the size; float16 keeps three more bits of each number than bfloat16. With several processes all
    must call. Raises UserError for an unknown `dtype` and for numbers that do not fit it.
    """
    if dtype not in STORED:
        raise UserError(f"dtype={dtype!r}: expected one of {', '.join(STORED)}")
    arrays = {name: narrow(name, to_host(array), dtype) for name, array in paths.flatten(params).items()}
    sums = Digest()
    for name in sorted(arrays):
        sums.update(name, arrays[name])
    return arrays, sums.hexdigest()


def read_params(
    folder: pathlib.Path, config: api.ModelConfig, head: api.Head | None, digest: str, mesh: Mesh | None
) -> api.Params:
    """Read a folder's parameters in the config's `param_dtype` and, with a mesh, in their shards.

    Raises UserError when the file is damaged, and when the arrays are not those of the config and the head.
    """
    with open_tensors(folder / PARAMS) as tensors:
        _check_shapes(folder, tensors.shapes, config, head)
        shardings: dict[str, Any] = {}
        if mesh is not None:
            axes, shapes = api.param_axes(config, head), api.abstract_params(config, head)
            shardings = paths.flatten(rules.tree_sharding(mesh, axes, shapes))
        return paths.nest(_read_arrays(tensors, digest, config, shardings))


def narrow(name: str, array: np.ndarray, dtype: str) -> np.ndarray:
    """Convert to a stored type; raises UserError naming an array whose numbers do not fit it."""
    with np.errstate(over="ignore"):
        stored = array.astype(STORED[dtype], copy=False)
    if not np.isfinite(stored.astype(np.float32, copy=False)).all():
        raise UserError(
            f"parameter {name} holds numbers that are not finite in {dtype}: if its largest magnitude "
            f"({np.abs(array.astype(np.float64)).max():.3g}) is finite, store as bfloat16 or float32"
        )
    return stored


def _read_arrays(
    tensors: TensorFile, digest: str, config: api.ModelConfig, shardings: Mapping[str, Any]
) -> dict[str, jax.Array]:
    """Put each array on the device (or into its shards) as it comes: the host never holds all of them."""
    sums, found = Digest(), {}
    for name in sorted(tensors.shapes):
        array = tensors.read(name)
        sums.update(name, array)
        found[name] = jax.device_put(array.astype(jnp.dtype(config.param_dtype), copy=False), shardings.get(name))
    if sums.hexdigest() != digest:
        raise UserError(f"{tensors.path} does not have the digest in model.json: make or copy the folder again")
    return found


def _check_shapes(
    folder: pathlib.Path, found: Mapping[str, tuple], config: api.ModelConfig, head: api.Head | None
) -> None:
    wanted = {name: array.shape for name, array in paths.flatten(api.abstract_params(config, head)).items()}
    for name in sorted(found.keys() | wanted.keys()):
        if found.get(name) != wanted.get(name):
            who = f"the head {head}" if name.split("/")[0] == "head" else "the model config"
            raise UserError(
                f"{folder}: parameter {name} has shape {found.get(name, 'absent')}, {who} wants "
                f"{wanted.get(name, 'none such')}: use the config and head it was saved with"
            )
