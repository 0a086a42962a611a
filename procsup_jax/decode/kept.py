"""Under which keys finished parts of decoding and scoring are kept: all that a part depends on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

import procsup_jax
from procsup_jax import journal
from procsup_jax.models.model import Model


def key(models: Sequence[Model], *parts: Any) -> str:
    """Return the key of what models make of parts that JSON can spell, with these versions and on this kind of device.

    Raises UserError for a model that was read from no folder.
    """
    built = procsup_jax.__version__, jax.__version__, jax.devices()[0].device_kind
    return journal.key(built, [model.identity for model in models], *parts)
