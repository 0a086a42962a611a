"""What a reward model's head is: how it turns hidden states into logits of "the steps so far are correct".

`params` is what a model holds beside its layers, by name: the tables of the vocabulary and, where a head has parameters
of its own, `head`. Axis letters are those of the package's other modules; r is a row of slots, x what a head caches.
"""

from __future__ import annotations

from typing import Any, Protocol

import jax
import jax.numpy as jnp

from procsup_jax.models import trees
from procsup_jax.models.config import ModelConfig
from procsup_jax.models.layers import Params


class Head(Protocol):
    """Read a trunk; a frozen, hashable dataclass, static under jit, whose fields are plain JSON values."""

    @property
    def kind(self) -> str:
        """Name the class in files."""

    def __hash__(self) -> int:
        """Be part of what compiled programs are shared by."""

    def init_params(self, config: ModelConfig, key: jax.Array) -> Any:
        """Draw the head's own parameters, a tree in the config's `param_dtype`; an empty one: it has none.

        Raises UserError when the head does not suit the model.
        """

    def param_axes(self, config: ModelConfig) -> Any:
        """Return the logical axis names of these parameters (see parallel.rules)."""

    def read(
        self,
        config: ModelConfig,
        params: Params,
        states_bld: jax.Array,
        tokens_bl: jax.Array,
        positions_bl: jax.Array,
        solution_bl: jax.Array,
    ) -> jax.Array:
        """Return logit P(correct so far), float32 [b, l], at every position of packed rows (see `api.hidden`).

        `solution_bl` is 1 on the solutions' tokens and 0 on prompts and padding.
        """

    def read_trees(
        self, config: ModelConfig, params: Params, states_bld: jax.Array, tokens_bl: jax.Array, grown: trees.Trees
    ) -> jax.Array:
        """Return the same at the tokens of branches, all of them a solution's, float32 [b, r, t]."""

    def cache_width(self, config: ModelConfig) -> int:
        """Return how many float32 numbers the head keeps of each position in a cache."""

    def start_cache(self, states_npd: jax.Array) -> jax.Array:
        """Return what the head keeps of the positions of prompts, float32 [n, p, x]; asked if x > 0."""

    def extend(
        self, config: ModelConfig, params: Params, states_rtd: jax.Array, tokens_rt: jax.Array, last_r1x: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Read t new tokens of solutions after a position of which `last_r1x` is kept.

        Return logits, float32 [r, t], and what to keep of the new positions, float32 [r, t, x].
        """

    def num_logit_rows(self, config: ModelConfig, rows: int, length: int) -> int:
        """Return of how many positions logits over the whole vocabulary are alive at a time, in rows of this length."""


class PointwiseHead:
    """Read each position by its hidden state alone; nothing is cached. A subclass says how, with `logit`."""

    def logit(self, config: ModelConfig, params: Params, states: jax.Array) -> jax.Array:
        """Return logit P(correct so far), float32 [...], for hidden states [..., d]."""
        raise NotImplementedError

    def read(
        self,
        config: ModelConfig,
        params: Params,
        states_bld: jax.Array,
        tokens_bl: jax.Array,
        positions_bl: jax.Array,
        solution_bl: jax.Array,
    ) -> jax.Array:
        """Read packed rows."""
        return self.logit(config, params, states_bld)

    def read_trees(
        self, config: ModelConfig, params: Params, states_bld: jax.Array, tokens_bl: jax.Array, grown: trees.Trees
    ) -> jax.Array:
        """Read trees."""
        return trees.take(self.logit(config, params, states_bld), grown.branch_brt)

    def cache_width(self, config: ModelConfig) -> int:
        """Return 0."""
        return 0

    def start_cache(self, states_npd: jax.Array) -> jax.Array:
        """Return nothing of each position."""
        return jnp.zeros((*states_npd.shape[:2], 0), jnp.float32)

    def extend(
        self, config: ModelConfig, params: Params, states_rtd: jax.Array, tokens_rt: jax.Array, last_r1x: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Read new tokens."""
        return self.logit(config, params, states_rtd), self.start_cache(states_rtd)

    def num_logit_rows(self, config: ModelConfig, rows: int, length: int) -> int:
        """Return 0."""
        return 0
