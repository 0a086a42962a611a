"""The paper's reward model: a language model that says `correct` or `incorrect` after a step (Uesato et al. 2022)."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from procsup_jax.errors import UserError
from procsup_jax.models.config import ModelConfig
from procsup_jax.models.heads.base import PointwiseHead
from procsup_jax.models.layers import Params, logits, unembedding


@dataclasses.dataclass(frozen=True)
class VerdictHead(PointwiseHead):
    """Read logit(correct) - logit(incorrect): two rows of the unembedding, no parameters of its own.

    The fields are the ids of the two tokens. Raises UserError for ids that cannot be.
    """

    kind: ClassVar[str] = "verdict"

    correct_id: int
    incorrect_id: int

    def __post_init__(self) -> None:
        ids = self.correct_id, self.incorrect_id
        if not all(type(each) is int and each >= 0 for each in ids) or ids[0] == ids[1]:
            raise UserError(f"verdict tokens {ids[0]!r} and {ids[1]!r}: expected the ids of two different tokens")

    def init_params(self, config: ModelConfig, key: jax.Array) -> Any:
        """Return no parameters; raises UserError when the model has no such tokens."""
        if max(self.correct_id, self.incorrect_id) >= config.vocab_size:
            raise UserError(
                f"verdict tokens {self.correct_id} and {self.incorrect_id}: the model has vocab_size="
                f"{config.vocab_size}; use the ids of tokens in its vocabulary"
            )
        return {}

    def param_axes(self, config: ModelConfig) -> Any:
        """Return no axes."""
        return {}

    def logit(self, config: ModelConfig, params: Params, states: jax.Array) -> jax.Array:
        """Return the difference of the two tokens' logits."""
        both = logits(states, unembedding(config, params)[jnp.array((self.correct_id, self.incorrect_id))])
        return both[..., 0] - both[..., 1]
