"""Models in a Hugging Face folder: config.json, safetensors in one file or in shards, tokenizer files.

Pickled weights (.bin, .pt) are never read: unpickling a file runs what it says.
"""

from __future__ import annotations

import contextlib
import json
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from procsup_jax import files, json_lines
from procsup_jax.errors import UserError
from procsup_jax.io.foreign_model import ForeignModel
from procsup_jax.io.kinds import Dtype
from procsup_jax.io.params import STORED, narrow
from procsup_jax.io.tensors import DTYPES, TensorFile, open_tensors, write_tensors
from procsup_jax.models import api
from procsup_jax.models.pretrained import llama, llama_config
from procsup_jax.models.pretrained.table import Shape, foreign_shapes, read_params, write_params

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
TOKENIZER_CONFIG, GENERATION_CONFIG, CHAT_TEMPLATE = (
    "tokenizer_config.json", "generation_config.json", "chat_template.jinja",
)  # fmt: skip
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer.model", TOKENIZER_CONFIG, "special_tokens_map.json", "added_tokens.json",
    GENERATION_CONFIG,
)  # fmt: skip
# What is written at a time is held twice.
SHARD_BYTES = 1 << 30
_ID_NAMES = ("bos_token_id", "eos_token_id", "pad_token_id")


def read(path: files.PathLike) -> ForeignModel:
    """Read a model and its tokenizer files; parameters keep the type they are stored in.

    Raises UserError for anything but a whole, plain Llama in safetensors.
    """
    folder = pathlib.Path(path)
    values = _read_json(folder / CONFIG)
    with contextlib.ExitStack() as stack:
        shards = _Shards([stack.enter_context(open_tensors(file)) for file in _weights(folder)])
        try:
            config = llama_config.from_hf(values)
            params = read_params(llama.TABLE, "hf", config, shards, shards.dtype)
        except UserError as error:
            raise UserError(f"{folder}: {error}") from error
        except (TypeError, ValueError, ArithmeticError, LookupError) as error:
            raise UserError(f"{folder / CONFIG} is not what a Llama's is ({error!r}): get it again") from error
    source = {"kind": "hf", "name": values.get("_name_or_path") or folder.resolve().name}
    return ForeignModel(config, params, _read_tokenizer(folder, values), {"source": source})


def write_hf(
    path: files.PathLike,
    config: api.ModelConfig,
    params: api.Params,
    tokenizer_files: Mapping[str, bytes],
    *,
    dtype: Dtype = "float32",
) -> None:
    """Write a folder that transformers' LlamaForCausalLM loads, whole or not at all.

    Raises UserError for a model that is no Llama and for numbers that do not fit `dtype`.
    """
    values = llama_config.to_hf(config, dtype)
    generation = json.loads(tokenizer_files.get(GENERATION_CONFIG, b"{}"))
    values |= {name: generation[name] for name in _ID_NAMES if name in generation}
    width = np.dtype(STORED[dtype]).itemsize
    shapes = foreign_shapes(llama.TABLE, "hf", config)
    names = _shard_names({name: math.prod(shape) * width for name, shape in shapes.items()})
    params = jax.tree.map(np.asarray, dict(params))
    with files.whole_folder(path) as folder:
        shard: dict[str, np.ndarray] = {}
        for name, tensor in write_params(llama.TABLE, "hf", config, params):
            shard[name] = narrow(name, tensor, dtype)
            if shard.keys() == {each for each, file in names.items() if file == names[name]}:
                write_tensors(folder / names[name], shard, {"format": "pt"})
                shard = {}
        if len(set(names.values())) > 1:
            total = sum(math.prod(shape) * width for shape in shapes.values())
            _write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": names})
        _write_json(folder / CONFIG, values)
        for name, content in tokenizer_files.items():
            files.write_bytes(folder / name, content)


class _Shards:
    """Hold the tensors of open files as one source."""

    def __init__(self, opened: Sequence[TensorFile]) -> None:
        self._homes = {name: file for file in opened for name in file.shapes}

    @property
    def shapes(self) -> dict[str, Shape]:
        return {name: file.shapes[name] for name, file in self._homes.items()}

    @property
    def dtype(self) -> Any:
        """Return the type that holds every tensor exactly."""
        found = {DTYPES.get(file.dtypes[name], "float32") for name, file in self._homes.items()}
        return STORED[found.pop()] if len(found) == 1 else np.float32

    def read(self, name: str) -> np.ndarray:
        return self._homes[name].read(name)


def _weights(folder: pathlib.Path) -> list[pathlib.Path]:
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if (folder / INDEX).is_file():
        shards = _read_json(folder / INDEX).get("weight_map")
        if not isinstance(shards, dict) or not all(isinstance(name, str) for name in shards.values()):
            raise UserError(f"{folder / INDEX} is damaged: expected a weight_map from tensors to files; get it again")
        return [folder / pathlib.Path(name).name for name in sorted(set(shards.values()))]
    pickled = sorted(file.name for ending in ("bin", "pt", "pth") for file in folder.glob(f"*.{ending}"))
    hint = f"; {pickled[0]} is pickled, which is never read: save the model with safe_serialization" if pickled else ""
    raise UserError(f"{folder} has neither {WEIGHTS} nor {INDEX}{hint}")


def _shard_names(sizes: Mapping[str, int]) -> dict[str, str]:
    """Return the file of each tensor: one of at most SHARD_BYTES after the other (or of one tensor above that)."""
    shard, room, numbers = 0, 0, {}
    for name, size in sizes.items():
        if size > room:
            shard, room = shard + 1, SHARD_BYTES
        room -= size
        numbers[name] = shard
    if shard == 1:
        return dict.fromkeys(sizes, WEIGHTS)
    return {name: f"model-{number:05}-of-{shard:05}.safetensors" for name, number in numbers.items()}


def _read_tokenizer(folder: pathlib.Path, values: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the tokenizer's files; the chat template and the ids that end a text stand where we look for them."""
    found = read_files(folder, TOKENIZER_FILES)
    template = folder / CHAT_TEMPLATE
    if template.is_file() and TOKENIZER_CONFIG in found:
        settings = {**_read_json(folder / TOKENIZER_CONFIG), "chat_template": template.read_text(encoding="utf-8")}
        found[TOKENIZER_CONFIG] = json_bytes(settings)
    if GENERATION_CONFIG not in found:
        found[GENERATION_CONFIG] = json_bytes({name: values[name] for name in _ID_NAMES if name in values})
    return found


def read_files(folder: pathlib.Path, names: Sequence[str]) -> dict[str, bytes]:
    """Return those of the files that are there."""
    with files.explain_os_errors(folder, "read"):
        return {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """Return a JSON file's content."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _read_json(path: pathlib.Path) -> dict[str, Any]:
    with files.explain_os_errors(path, "read"):
        content = path.read_bytes()
    try:
        value = json_lines.loads(content, finite=False)
    except ValueError as error:
        raise UserError(f"{path} is no JSON ({error}): get it again") from error
    if not isinstance(value, dict):
        raise UserError(f"{path}: expected a JSON object, found {type(value).__name__}; get it again")
    return value


def _write_json(path: pathlib.Path, value: Mapping[str, Any]) -> None:
    files.write_bytes(path, json_bytes(value))
