"""`procsup convert`: a model made elsewhere in, one that others read out."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Literal

from procsup_jax.errors import UserError
from procsup_jax.flags import Flags, flag
from procsup_jax.io.kinds import Dtype, Kind


@dataclasses.dataclass(frozen=True)
class ConvertFlags(Flags):
    """Hold the flags of `procsup convert`."""

    input: pathlib.Path = flag("a GGUF file, a Hugging Face folder, or a model's folder of ours", reads="path")
    output: pathlib.Path = flag("the folder to write", writes="folder")
    to: Literal["procsup", "hf"] = flag("procsup: a folder that every job takes; hf: one that transformers loads")
    from_: Kind | None = flag("the kind of the input, where the path does not say", None)
    layout: Literal["lines", "paragraphs", "chat"] | None = flag("how a model from elsewhere writes: lines", None)
    dtype: Dtype | None = flag(
        "the type to store, without it the one that was read; quantised numbers are float32", None
    )
    force: bool = flag("hf: write a reward model without its head", False)


def run(flags: ConvertFlags) -> None:
    """Write the model at --input as a folder of another kind.

    Read are GGUF files, Hugging Face folders (safetensors) and our model folders, of the Llama family.
    """
    if flags.output.resolve() == flags.input.resolve():
        raise UserError(f"--output={flags.output} is --input too; choose another folder")
    import jax

    from procsup_jax.io import foreign, huggingface
    from procsup_jax.io.models import save_model
    from procsup_jax.models import roles

    _refuse_others_folder(flags.output)
    model = foreign.read_any(flags.input, flags.from_, flags.layout)
    if flags.to == "hf":
        remedy = "give a policy, or pass --force to write it without its head"
        model = model.with_head(None) if flags.force else model
        roles.check_policy(f"--input={flags.input}", model.head, remedy)
    dtype = flags.dtype or jax.tree.leaves(model.params)[0].dtype.name
    if flags.to == "hf":
        files = foreign.tokenizer_files(model)
        huggingface.write_hf(flags.output, model.config, model.params, files, dtype=dtype)
    else:
        save_model(flags.output, model, dtype=dtype)
    written = sorted(flags.output.iterdir())
    size = sum(file.stat().st_size for file in written)
    print(f"{flags.output}: {', '.join(file.name for file in written)}; {size / 1e6:.0f} MB")


def _refuse_others_folder(output: pathlib.Path) -> None:
    """Raise UserError where something stands that is no model: a model's folder is replaced as a whole."""
    from procsup_jax.io import foreign

    try:
        if output.is_file() or (output.is_dir() and any(output.iterdir())):
            foreign.kind_of(output)
    except UserError as error:
        raise UserError(f"--output={output} holds other files than a model's; choose another folder") from error
