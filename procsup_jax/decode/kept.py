"""Under which keys finished parts of decoding and scoring are kept: all that a part depends on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax

import procsup_jax
from procsup_jax import journal
from procsup_jax.models.model import Model


def naming(models: Sequence[Model], *settings: Any) -> Callable[..., str]:
    """Return what gives the key of a part that models make by settings: of anything else that the part depends on.

    All of it JSON can spell; versions and the kind of device belong to it. What the parts have in common is named once,
    for the first of them. That raises UserError for a model that was read from no folder.
    """

    @functools.cache
    def common() -> str:
        built = procsup_jax.__version__, jax.__version__, jax.devices()[0].device_kind
        return journal.key(built, [model.identity for model in models], *settings)

    return lambda *part: journal.key(common(), *part)
