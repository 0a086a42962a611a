"""`procsup convert`: a model made elsewhere in, one that others read out."""

from __future__ import annotations

import pathlib
from typing import Literal

from procsup_jax.errors import UserError
from procsup_jax.io import foreign, huggingface
from procsup_jax.io.params import Dtype, save_params


def run(
    *,
    input: pathlib.Path,  # noqa: A002 - the flag's name
    output: pathlib.Path,
    to: Literal["procsup", "hf"],
    from_: foreign.Kind | None = None,
    dtype: Dtype | None = None,
) -> None:
    """Write the model at --input as a folder of another kind.

    Read are GGUF files, Hugging Face folders (safetensors) and our model folders, of the Llama family; --from says
    which where the path does not. --to=procsup writes a folder that every job takes as a model, --to=hf one that
    transformers loads. --dtype is the type to store, without it the one that was read; quantised numbers are float32.
    """
    if output.resolve() == input.resolve():
        raise UserError(f"--output={output} is --input too; choose another folder")
    _refuse_others_folder(output)
    model = foreign.read_foreign(input, from_)
    dtype = dtype or model.dtype
    if to == "hf":
        huggingface.write_hf(output, model.config, model.params, model.tokenizer_files, dtype=dtype)
    else:
        save_params(output, model.params, model.config, model.metadata, dtype=dtype, others=model.tokenizer_files)
    size = sum(file.stat().st_size for file in output.iterdir())
    print(f"{output}: {', '.join(sorted(file.name for file in output.iterdir()))}; {size / 1e6:.0f} MB")


def _refuse_others_folder(output: pathlib.Path) -> None:
    """Raise UserError where something stands that is no model: a model's folder is replaced as a whole."""
    try:
        if output.is_file() or (output.is_dir() and any(output.iterdir())):
            foreign.kind_of(output)
    except UserError as error:
        raise UserError(f"--output={output} holds other files than a model's; choose another folder") from error
