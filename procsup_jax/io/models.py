"""Finished models: a folder that holds everything, `model.json`, `params.safetensors` and the tokenizer's files.

`model.json` is an object with the format's name, the network's config, the layout, the head (null: a policy), the type
and digest of the stored arrays, and metadata.
"""

from __future__ import annotations

import dataclasses
import importlib.resources
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
from jax.sharding import Mesh

from procsup_jax import files, temporaries
from procsup_jax.errors import UserError
from procsup_jax.io.kinds import Dtype
from procsup_jax.io.params import PARAMS, STORED, read_params, to_arrays
from procsup_jax.io.tensors import write_tensors
from procsup_jax.models import api
from procsup_jax.models.model import Model
from procsup_jax.text.encoding import Encoding
from procsup_jax.text.layout import Layout
from procsup_jax.text.tokenizer import load_tokenizer

FORMAT = "procsup_jax model 2"
HEADER = "model.json"
SHIPPED = "worlds_base"
_KEYS = ("config", "layout", "head", "dtype", "digest", "metadata")


def save_model(path: files.PathLike, model: Model, *, dtype: Dtype | str = "float32") -> str:
    """Write a model to the folder `path`, whole or not at all, and return the digest of its arrays.

    Equal models give equal bytes. `dtype` is the type that parameters are stored in (see `params.to_arrays`, also for
    errors). With several processes all must call; one writes.
    """
    arrays, digest = to_arrays(model.params, dtype)
    if jax.process_index() == 0:
        header = {
            "format": FORMAT,
            "config": {name: value for name, value in dataclasses.asdict(model.config).items() if value is not None},
            "layout": model.layout.to_json(),
            "head": api.head_to_json(model.head),
            "dtype": dtype,
            "digest": digest,
            "metadata": dict(model.metadata),
        }
        with files.whole_folder(path) as folder:
            write_tensors(folder / PARAMS, arrays)
            files.write_text(folder / HEADER, json.dumps(header, indent=2, sort_keys=True) + "\n")
            model.tokenizer.save(folder)
    return digest


def load_model(path: files.PathLike, *, config: api.ModelConfig | None = None, mesh: Mesh | None = None) -> Model:
    """Read a model, its arrays in the config's `param_dtype` and, with a mesh, in their shards.

    `path` is its folder, or "worlds_base", the one that ships with the package. `config` replaces the stored one, for
    instance to run in another compute type. Raises UserError when the folder is missing or damaged, and when the arrays
    are not those of the config and the head.
    """
    folder = model_folder(path)
    header = _read_header(folder / HEADER)
    config, head = config or _read_config(folder, header["config"]), _read_head(folder, header["head"])
    params = read_params(folder, config, head, header["digest"], mesh)
    encoding = _read_encoding(folder, header)
    return Model(
        config, params, encoding.tokenizer, encoding.layout, head, mesh,
        name=str(path), metadata=header["metadata"], digest=header["digest"],
    )  # fmt: skip


def load_encoding(path: files.PathLike) -> Encoding:
    """Read a model's tokenizer and layout alone; errors as for `load_model`."""
    folder = model_folder(path)
    return _read_encoding(folder, _read_header(folder / HEADER))


def read_digest(path: files.PathLike) -> str:
    """Return the digest of a model's stored arrays as its folder states it."""
    return str(_read_header(model_folder(path) / HEADER)["digest"])


def model_folder(path: files.PathLike) -> pathlib.Path:
    """Return the folder of a model, for "worlds_base" that of the base that ships with the package."""
    if str(path) == SHIPPED:
        return pathlib.Path(str(importlib.resources.files("procsup_jax") / "pretrained" / SHIPPED))
    temporaries.settle(pathlib.Path(path))
    return pathlib.Path(path)


def _read_header(path: pathlib.Path) -> dict[str, Any]:
    with files.explain_os_errors(path, "read"):
        text = path.read_text(encoding="utf-8")
    try:
        header = json.loads(text)
        if header["format"] != FORMAT:
            raise UserError(f"{path}: format {header['format']!r}, expected {FORMAT!r}; use the version that wrote it")
        if all(key in header for key in _KEYS) and header["dtype"] in STORED:
            return header
    except (ValueError, KeyError, TypeError):
        pass
    raise UserError(f"{path} is damaged: expected the JSON object that save_model writes; make or copy it again")


def _read_config(folder: pathlib.Path, values: Mapping[str, Any]) -> api.ModelConfig:
    try:
        return api.ModelConfig(**values)
    except TypeError as error:
        raise UserError(f"{folder / HEADER}: {error}; use the version of procsup_jax that wrote it") from error


def _read_head(folder: pathlib.Path, values: Any) -> api.Head | None:
    try:
        return api.head_from_json(values)
    except UserError as error:
        raise UserError(f"{folder / HEADER}: {error}") from error


def _read_encoding(folder: pathlib.Path, header: Mapping[str, Any]) -> Encoding:
    layout = Layout.from_json(header["layout"], f"{folder / HEADER}: layout")
    return Encoding(load_tokenizer(folder), layout)
