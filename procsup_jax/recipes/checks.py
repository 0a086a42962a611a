"""What can be said of an experiment before its first stage: its devices, its base, and what goes into that."""

from __future__ import annotations

from procsup_jax.errors import UserError
from procsup_jax.recipes.base import source_folder
from procsup_jax.recipes.settings import ExperimentSettings


def check_models(settings: ExperimentSettings) -> None:
    """Raise UserError where devices lack or share no batch, the base is none, or it reads less than is asked of it."""
    from procsup_jax.io.models import load_encoding, read_header
    from procsup_jax.models import api

    base = settings.base
    _check_devices(settings)
    if base.source == "train":
        api.preset(base.preset, base.vocab_size, shift_width=base.shift_width, max_len=base.max_len)
        _check_room(settings, base.max_len)
        if base.start:
            read_header(base.start).check_policy(f"--config.base.start={base.start}")
        return
    folder = source_folder(settings)
    header = read_header(folder)
    header.check_policy(f"--config.base.source={base.source}")
    _check_room(settings, header.config.max_len)
    api.make_head(settings.rm_head, load_encoding(folder).verdict_ids)


def _check_devices(settings: ExperimentSettings) -> None:
    """Raise UserError where devices lack for the mesh, or a fit's batch does not divide over it."""
    from procsup_jax.parallel import rules
    from procsup_jax.parallel.mesh import fit_mesh, own_mesh

    for name, fit in settings.fits.items():
        rows = fit.batch_size // fit.grad_accum
        shards = rules.batch_shards(fit_mesh(settings.mesh, rows))
        if rows % shards:
            raise UserError(
                f"setting config.{name}.batch_size is {fit.batch_size}, expected a multiple of "
                f"{fit.grad_accum * shards}: grad_accum={fit.grad_accum} over {shards} devices; pass "
                f"--config.{name}.batch_size=VALUE, or --config.mesh.tensor=VALUE and fewer devices along data and fsdp"
            )
    own_mesh(settings.mesh)


def _check_room(settings: ExperimentSettings, max_len: int) -> None:
    for name, value, least in (
        ("seq_len", settings.seq_len, 0),
        ("sample.max_new_tokens", settings.sample.max_new_tokens, 1),
        ("search.max_new_tokens", settings.search.max_new_tokens, 1),
    ):
        if value + least > max_len:
            raise UserError(
                f"setting config.{name} is {value}, expected at most {max_len - least}: the base model reads "
                f"{max_len} tokens; pass --config.{name}=VALUE of that kind"
            )
