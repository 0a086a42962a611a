"""Finding a model: a folder with params.safetensors and model.json, and the vocabulary that belongs to it."""

from __future__ import annotations

import importlib.resources
import pathlib

from procsup_jax.errors import UserError
from procsup_jax.io.params import SavedModel, load_params
from procsup_jax.text.vocab import Vocab

SHIPPED = "worlds_base"


def read_model(model: pathlib.Path, vocab: pathlib.Path | None) -> tuple[SavedModel, Vocab]:
    """Return a model and its vocabulary.

    `model` is a folder that `procsup run` wrote under models/, or "worlds_base", which ships with the package. Without
    `vocab` it is vocab.model in the folder or in the run that the folder stands in. Raises UserError when there is
    none, and when it is another model's.
    """
    folder = shipped(SHIPPED) if str(model) == SHIPPED else model
    places = [vocab] if vocab is not None else [folder / "vocab.model", folder.parent.parent / "vocab.model"]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise UserError(f"no vocabulary at {' or '.join(map(str, places))}; pass --vocab=FILE, the run's vocab.model")
    saved, loaded = load_params(folder), Vocab.load(found)
    if loaded.size > saved.config.vocab_size or saved.metadata.get("vocab", loaded.digest) != loaded.digest:
        raise UserError(
            f"{found} ({loaded.size} ids, digest {loaded.digest}) is not the vocabulary that {folder} was trained with "
            f"({saved.config.vocab_size} ids, digest {saved.metadata.get('vocab')}); pass that one as --vocab"
        )
    return saved, loaded


def shipped(name: str) -> pathlib.Path:
    """Return the folder of a model that ships with the package."""
    return pathlib.Path(str(importlib.resources.files("procsup_jax") / "pretrained" / name))
