"""Finished models: a folder with `params.safetensors` and `model.json` (config, metadata, digest)."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from procsup_jax import files
from procsup_jax.errors import UserError
from procsup_jax.io.tensors import TensorFile, open_tensors, write_tensors
from procsup_jax.models import api, paths
from procsup_jax.parallel import rules

FORMAT = "procsup_jax model 2"
PARAMS, HEADER = "params.safetensors", "model.json"
Dtype = Literal["float32", "float16", "bfloat16"]
STORED: Mapping[str, Any] = {"float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}


@dataclasses.dataclass(frozen=True, eq=False)
class SavedModel:
    """Hold a model read from the disk; `digest` identifies its stored arrays."""

    params: api.Params
    config: api.ModelConfig
    metadata: Mapping[str, Any]
    digest: str


def save_params(
    path: files.PathLike,
    params: api.Params,
    config: api.ModelConfig,
    metadata: Mapping[str, Any] | None = None,
    *,
    dtype: Dtype = "float32",
    others: Mapping[str, bytes] | None = None,
) -> str:
    """Write a model to the folder `path`, whole or not at all, and return the digest of its arrays.

    `metadata` is any JSON object, `others` are further files of the folder by name. 16-bit types halve the size;
    float16 keeps three more bits of each number than bfloat16. Equal inputs give equal bytes. With several processes
    all must call; one writes. Raises UserError for an unknown `dtype` and for numbers that do not fit it.
    """
    if dtype not in STORED:
        raise UserError(f"dtype={dtype!r}: expected one of {', '.join(STORED)}")
    arrays = {name: narrow(name, _to_host(array), dtype) for name, array in paths.flatten(params).items()}
    sums = _Digest()
    for name in sorted(arrays):
        sums.update(name, arrays[name])
    digest = sums.hexdigest()
    if jax.process_index() == 0:
        header = {
            "format": FORMAT,
            "config": {name: value for name, value in dataclasses.asdict(config).items() if value is not None},
            "dtype": dtype,
            "digest": digest,
            "metadata": dict(metadata or {}),
        }
        with files.whole_folder(path) as folder:
            write_tensors(folder / PARAMS, arrays)
            files.write_text(folder / HEADER, json.dumps(header, indent=2, sort_keys=True) + "\n")
            for name, content in (others or {}).items():
                files.write_bytes(folder / name, content)
    return digest


def load_params(path: files.PathLike, *, config: api.ModelConfig | None = None, mesh: Mesh | None = None) -> SavedModel:
    """Read a model, its arrays in the config's `param_dtype` and, with a mesh, in their shards.

    `config` replaces the stored one, for instance to run in another compute type. Raises UserError when the folder is
    missing or damaged, and when the arrays are not those of the config.
    """
    folder = pathlib.Path(path)
    header = _read_header(folder / HEADER)
    config = config or _read_config(folder, header["config"])
    with open_tensors(folder / PARAMS) as tensors:
        _check_shapes(folder, tensors.shapes, config)
        params = paths.nest(_read_arrays(tensors, header, config, mesh))
    return SavedModel(params, config, header["metadata"], header["digest"])


def _to_host(array: jax.Array | np.ndarray) -> np.ndarray:
    if isinstance(array, jax.Array) and not array.is_fully_addressable:
        return np.asarray(multihost_utils.process_allgather(array, tiled=True))
    return np.asarray(array)


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


class _Digest:
    """Sum up arrays that come in the order of their names."""

    def __init__(self) -> None:
        self._content = hashlib.sha256()

    def update(self, name: str, array: np.ndarray) -> None:
        bits = np.ascontiguousarray(array).view(np.uint16) if array.dtype == ml_dtypes.bfloat16 else array
        self._content.update(f"{name} {bits.dtype.str} {bits.shape};".encode())
        self._content.update(np.ascontiguousarray(bits).data)

    def hexdigest(self) -> str:
        return self._content.hexdigest()


def _read_header(path: pathlib.Path) -> dict[str, Any]:
    with files.explain_os_errors(path, "read"):
        text = path.read_text(encoding="utf-8")
    try:
        header = json.loads(text)
        if header["format"] != FORMAT:
            raise UserError(f"{path}: format {header['format']!r}, expected {FORMAT!r}; use the version that wrote it")
        if all(kind in header for kind in ("config", "dtype", "digest", "metadata")) and header["dtype"] in STORED:
            return header
    except (ValueError, KeyError, TypeError):
        pass
    raise UserError(f"{path} is damaged: expected the JSON object that save_params writes; make or copy it again")


def _read_config(folder: pathlib.Path, values: Mapping[str, Any]) -> api.ModelConfig:
    try:
        return api.ModelConfig(**values)
    except TypeError as error:
        raise UserError(f"{folder / HEADER}: {error}; use the version of procsup_jax that wrote it") from error


def _read_arrays(
    tensors: TensorFile, header: Mapping[str, Any], config: api.ModelConfig, mesh: Mesh | None
) -> dict[str, jax.Array]:
    """Put each array on the device (or into its shards) as it comes: the host never holds all of them."""
    shardings: dict[str, Any] = {}
    if mesh is not None:
        shardings = paths.flatten(rules.tree_sharding(mesh, api.param_axes(config), api.abstract_params(config)))
    sums, found = _Digest(), {}
    for name in sorted(tensors.shapes):
        array = tensors.read(name)
        sums.update(name, array)
        found[name] = jax.device_put(array.astype(jnp.dtype(config.param_dtype), copy=False), shardings.get(name))
    if sums.hexdigest() != header["digest"]:
        raise UserError(f"{tensors.path} does not have the digest in model.json: make or copy the folder again")
    return found


def _check_shapes(folder: pathlib.Path, found: Mapping[str, tuple], config: api.ModelConfig) -> None:
    wanted = {name: array.shape for name, array in paths.flatten(api.abstract_params(config)).items()}
    for name in sorted(found.keys() | wanted.keys()):
        if found.get(name) != wanted.get(name):
            raise UserError(
                f"{folder}: parameter {name} has shape {found.get(name, 'absent')}, the model config wants "
                f"{wanted.get(name, 'none such')}: use the config it was saved with"
            )
