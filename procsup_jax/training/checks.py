"""Checks of a fit's arguments before anything is compiled."""

from __future__ import annotations

import jax

from procsup_jax.data.pack import Packed
from procsup_jax.decode import memory
from procsup_jax.errors import UserError
from procsup_jax.models import api
from procsup_jax.parallel import rules
from procsup_jax.training.settings import FitSettings
from procsup_jax.training.step import check_batch_size

# Parameters, their gradients and the optimiser's two moments.
_STATE_COPIES = 4
# Arrays of whole numbers that a batch has, on the host and on the device.
_BATCH_ARRAYS = 10


def check_params(network: api.Network) -> None:
    """Raise UserError naming the first parameter that is not as the config and the head say."""
    found, wanted = (
        {jax.tree_util.keystr(path): array.shape for path, array in jax.tree_util.tree_leaves_with_path(tree)}
        for tree in (network.params, api.abstract_params(network.config, network.head))
    )
    for name in sorted(found.keys() | wanted.keys()):
        if found.get(name) != wanted.get(name):
            raise UserError(
                f"parameter {name} has shape {found.get(name, 'absent')}, the model config wants "
                f"{wanted.get(name, 'none such')}: train a model with the config and head it was made with"
            )


def check_inputs(network: api.Network, train: Packed, valid: Packed | None, settings: FitSettings) -> None:
    """Raise UserError for data that do not suit the model or its loss, and for a batch that does not divide."""
    config = network.config
    check_batch_size(settings.batch_size, settings.grad_accum, network.mesh)
    _check_memory(network, train.seq_len, settings)
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
        if network.head is not None and (packed.solution is None or packed.targets.max() > 1):
            raise UserError(
                f"{split} data have targets up to {packed.targets.max():g}, a reward model expects 0 to 1, and which "
                "tokens are the solution's: make them with rm_example, or leave out the head"
            )
        if network.head is None and packed.solution is not None:
            raise UserError(f"{split} data are step labels, which a model without a head cannot learn: give it one")
    if valid is None and settings.patience:
        raise UserError(f"patience={settings.patience} needs validation data: give some, or set patience=0")


def _check_memory(network: api.Network, seq_len: int, settings: FitSettings) -> None:
    """Raise UserError for a batch that cannot fit: by the least that a step takes, what each layer keeps of a token."""
    config, mesh = network.config, network.mesh
    shards = rules.batch_shards(mesh)
    kept = 2 * config.d_model
    if config.remat != "full":
        kept += (config.num_heads + 2 * config.num_kv_heads) * config.head_dim + 2 * config.d_ff
    width = 4 if config.dtype == "float32" else 2
    state = _STATE_COPIES * memory.tree_bytes(network.params) // (1 if mesh is None else mesh.size)

    def need(batch_size: int) -> int:
        tokens = batch_size // shards * seq_len
        return state + tokens * (_BATCH_ARRAYS * 4 + config.num_layers * kept * width // settings.grad_accum)

    step = settings.grad_accum * shards
    memory.check_number("training", "batch_size", settings.batch_size, need, mesh, step)
