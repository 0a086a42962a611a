"""Models in one GGUF file of the architecture `llama` (the only importer of the gguf library).

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from __future__ import annotations

import functools
import pathlib
from typing import Any

import gguf
import numpy as np

from procsup_jax import files
from procsup_jax.errors import UserError
from procsup_jax.io import gguf_tokenizer
from procsup_jax.io.foreign_model import ForeignModel
from procsup_jax.io.gguf_header import check_header
from procsup_jax.models.pretrained import llama, llama_config
from procsup_jax.models.pretrained.table import Shape, read_params

_ROPE_FACTORS = "rope_freqs.weight"


class GGUFFile:
    """Read tensors of a memory-mapped GGUF file one at a time, in float32 whatever they are quantised to.

    Raises UserError where it is missing, damaged or of another kind.
    """

    def __init__(self, path: files.PathLike) -> None:
        self.path = pathlib.Path(path)
        with files.explain_os_errors(self.path, "read"):
            try:
                check_header(self.path)
                reader = gguf.GGUFReader(self.path)
                self.metadata: dict[str, Any] = {name: field.contents() for name, field in reader.fields.items()}
            except (ValueError, LookupError, TypeError, ArithmeticError) as error:
                raise UserError(f"{self.path} is no whole GGUF file ({error}): get it again") from error
        self._tensors = {tensor.name: tensor for tensor in reader.tensors}

    @functools.cached_property
    def shapes(self) -> dict[str, Shape]:
        """Return the shape of every tensor; a matrix is [out, in]."""
        return {name: tuple(map(int, reversed(tensor.shape))) for name, tensor in self._tensors.items()}

    @property
    def types(self) -> list[str]:
        """Return the types of the tensors, such as F32 and Q4_1."""
        return sorted({tensor.tensor_type.name for tensor in self._tensors.values()})

    def read(self, name: str) -> np.ndarray:
        """Return one tensor in float32."""
        tensor = self._tensors[name]
        try:
            found = gguf.dequantize(tensor.data, tensor.tensor_type)
        except NotImplementedError as error:
            raise UserError(
                f"{self.path}: tensor {name} is quantised as {tensor.tensor_type.name}, which the gguf library can't "
                "read; get a file in another quantisation, such as Q8_0"
            ) from error
        return found.astype(np.float32, copy=False).reshape(self.shapes[name])


def read(path: files.PathLike) -> ForeignModel:
    """Read a model and its tokenizer; raises UserError for anything but a whole, plain Llama."""
    file = GGUFFile(path)
    try:
        factors = file.read(_ROPE_FACTORS) if _ROPE_FACTORS in file.shapes else None
        config = llama_config.from_gguf(file.metadata, file.shapes, factors)
        params = read_params(llama.TABLE, "gguf", config, file, np.float32)
        tokenizer = gguf_tokenizer.tokenizer_files(file.metadata)
    except UserError as error:
        raise UserError(f"{file.path}: {error}") from error
    except Exception as error:  # of the libraries that read tensors and make tokenizers, which say nothing more precise
        raise UserError(f"{file.path} is not what a Llama's is ({error!r}): get it again") from error
    source = {
        "kind": "gguf",
        "name": file.metadata.get("general.name"),
        "license": file.metadata.get("general.license"),
        "types": file.types,
        "sha256": files.sha256_file(file.path),
    }
    return ForeignModel(config, params, tokenizer, {"source": source})
