"""What every reader of other systems' models returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax

from procsup_jax.io.kinds import Dtype
from procsup_jax.models import api


class ForeignModel(NamedTuple):
    """Hold a model that was read: parameters as numpy arrays, tokenizer files by name, metadata for model.json."""

    config: api.ModelConfig
    params: api.Params
    tokenizer_files: Mapping[str, bytes]
    metadata: Mapping[str, Any]

    @property
    def dtype(self) -> Dtype:
        """Return the type of the parameters."""
        return jax.tree.leaves(self.params)[0].dtype.name
