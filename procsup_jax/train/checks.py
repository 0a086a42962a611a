"""Checks of a fit's arguments before anything is compiled."""

from __future__ import annotations

import jax
from jax.sharding import Mesh

from procsup_jax.data.pack import Packed
from procsup_jax.errors import UserError
from procsup_jax.models import api
from procsup_jax.train.settings import FitSettings
from procsup_jax.train.step import check_batch_size


def check_params(config: api.ModelConfig, params: api.Params) -> None:
    """Raise UserError naming the first parameter that is not as `config` says."""
    found, wanted = (
        {jax.tree_util.keystr(path): array.shape for path, array in jax.tree_util.tree_leaves_with_path(tree)}
        for tree in (params, api.abstract_params(config))
    )
    for name in sorted(found.keys() | wanted.keys()):
        if found.get(name) != wanted.get(name):
            raise UserError(
                f"parameter {name} has shape {found.get(name, 'absent')}, the model config wants "
                f"{wanted.get(name, 'none such')}: train a model with the config it was made with"
            )


def check_inputs(
    config: api.ModelConfig,
    loss: str,
    train: Packed,
    valid: Packed | None,
    settings: FitSettings,
    mesh: Mesh | None,
) -> None:
    """Raise UserError for data that do not suit the model or the loss, and for a batch that does not divide."""
    check_batch_size(settings.batch_size, settings.grad_accum, mesh)
    for split, packed in (("training", train), ("validation", valid)):
        if packed is None:
            continue
        if packed.seq_len > config.max_len:
            raise UserError(
                f"{split} rows have seq_len={packed.seq_len}, the model max_len={config.max_len}: "
                "pack with a smaller seq_len or raise the model's max_len"
            )
        largest = int(packed.tokens.max())
        if largest >= config.vocab_size:
            raise UserError(
                f"{split} data hold token id {largest}, the model has vocab_size={config.vocab_size}: "
                "encode with the vocabulary that the model was made for"
            )
        if loss == "rm" and (packed.solution is None or packed.targets.max() > 1):
            raise UserError(
                f'{split} data have targets up to {packed.targets.max():g}, loss="rm" expects 0 to 1, and which '
                "tokens are the solution's: make them with rm_example"
            )
    if valid is None and settings.patience:
        raise UserError(f"patience={settings.patience} needs validation data: give some, or set patience=0")
