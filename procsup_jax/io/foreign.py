"""Finding out what kind of model stands at a path, and reading it."""

from __future__ import annotations

import pathlib
from typing import Literal, get_args

import jax
import numpy as np

from procsup_jax import files
from procsup_jax.errors import UserError
from procsup_jax.io import gguf_file, huggingface
from procsup_jax.io.foreign_model import ForeignModel
from procsup_jax.io.params import HEADER, load_params

Kind = Literal["gguf", "hf", "procsup"]
_VOCAB = "vocab.model"


def read_foreign(path: files.PathLike, kind: Kind | None = None) -> ForeignModel:
    """Read a model of any kind; without `kind` it is what stands at the path.

    Raises UserError where there is none, and for what a plain Llama has not.
    """
    path = pathlib.Path(path)
    match kind or kind_of(path):
        case "gguf":
            return gguf_file.read(path)
        case "hf":
            return huggingface.read(path)
        case "procsup":
            saved = load_params(path)
            params = jax.tree.map(np.asarray, saved.params)
            tokenizer = huggingface.read_files(path, (*huggingface.TOKENIZER_FILES, _VOCAB))
            return ForeignModel(saved.config, params, tokenizer, saved.metadata)
        case other:
            raise UserError(f"kind {other!r} of model: expected one of {', '.join(get_args(Kind))}")


def kind_of(path: pathlib.Path) -> Kind:
    """Return the kind of model at a path; raises UserError where none is found."""
    if path.is_file():
        with files.explain_os_errors(path, "read"), path.open("rb") as file:
            if file.read(4) == b"GGUF":
                return "gguf"
        raise UserError(f"{path} is no GGUF file; pass one, or a model's folder")
    if (path / HEADER).is_file():
        return "procsup"
    if (path / huggingface.CONFIG).is_file():
        return "hf"
    inside = f"; pass the file in it, {found[0].name}" if (found := sorted(path.glob("*.gguf"))) else ""
    raise UserError(
        f"{path} holds no model: expected a GGUF file, a folder with {huggingface.CONFIG}, or one with {HEADER}{inside}"
    )
