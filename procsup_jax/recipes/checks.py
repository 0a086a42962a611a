"""What can be said of an experiment before its first stage: its devices, its base, and what goes into that."""

from __future__ import annotations

from procsup_jax.errors import UserError
from procsup_jax.recipes.base import source_folder
from procsup_jax.recipes.settings import ExperimentSettings


def check_models(settings: ExperimentSettings) -> None:
    """Raise UserError where devices lack, the base is none, or it reads less than the settings ask of it."""
    from procsup_jax.io.models import load_encoding, read_header
    from procsup_jax.models import api
    from procsup_jax.parallel.mesh import mesh_or_none

    base = settings.base
    mesh_or_none(settings.mesh)
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
