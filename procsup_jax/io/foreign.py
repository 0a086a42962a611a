"""Finding out what kind of model stands at a path, and reading it."""

from __future__ import annotations

import pathlib
import tempfile
from typing import get_args

from procsup_jax import files, remote
from procsup_jax.errors import UserError
from procsup_jax.io import gguf_file, huggingface
from procsup_jax.io.foreign_model import ForeignModel
from procsup_jax.io.kinds import Kind
from procsup_jax.io.models import HEADER, load_model
from procsup_jax.models.model import Model
from procsup_jax.text.encoding import layout_for
from procsup_jax.text.layout import LINES
from procsup_jax.text.tokenizer import load_tokenizer


def read_any(path: files.PathLike, kind: Kind | None = None, layout: str | None = None) -> Model:
    """Read a model of any kind; without `kind` it is what stands at the path.

    `layout` is the preset that a model from elsewhere reads and writes in, "lines" unless given; ours have their own.
    Parameters from elsewhere are numpy arrays. Raises UserError where there is no model, and for what a plain Llama has
    not.
    """
    remote.check_local("path", path)
    path = pathlib.Path(path)
    match kind or kind_of(path):
        case "gguf":
            return _to_model(gguf_file.read(path), path, layout)
        case "hf":
            return _to_model(huggingface.read(path), path, layout)
        case "procsup":
            return load_model(path)
        case other:
            raise UserError(f"kind {other!r} of model: expected one of {', '.join(get_args(Kind))}")


def tokenizer_files(model: Model) -> dict[str, bytes]:
    """Return the files of a model's tokenizer by name."""
    with tempfile.TemporaryDirectory() as folder:
        return {name: (pathlib.Path(folder) / name).read_bytes() for name in model.tokenizer.save(folder)}


def _to_model(found: ForeignModel, path: pathlib.Path, layout: str | None) -> Model:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in found.tokenizer_files.items():
            files.write_bytes(pathlib.Path(folder) / name, content)
        tokenizer = load_tokenizer(folder)
    written = layout_for(tokenizer, layout or LINES.name)
    return Model(found.config, found.params, tokenizer, written, name=str(path), metadata=found.metadata)


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
