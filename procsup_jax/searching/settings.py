"""What a step search is asked to do."""

from __future__ import annotations

import dataclasses

from procsup_jax.decode.settings import CacheDtype, DecodeSettings, check_cache_dtype
from procsup_jax.errors import UserError

METHODS = ("beam", "puct")


@dataclasses.dataclass(frozen=True)
class StepSearchSettings:
    """Set how the search goes.

    `num_candidates` next steps are sampled (the paper's K) at `temperature`, `top_k`, `top_p`; a step of
    `max_step_tokens` is cut there by a separator. The search ends with the step that holds the final answer or ends in
    an end token, after `max_steps` (the paper: 15), or when `max_new_tokens` of the solution are written. `lanes`
    problems are searched at a time, which never changes a result. `cache_dtype` is that of `DecodeSettings`, for both
    models.
    """

    num_candidates: int = 16
    max_steps: int = 15
    max_step_tokens: int = 64
    max_new_tokens: int = 256
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    calculator: bool = True
    lanes: int = 8
    cache_dtype: CacheDtype = ""

    def __post_init__(self) -> None:
        for name in ("num_candidates", "max_steps", "max_step_tokens", "max_new_tokens", "lanes"):
            if getattr(self, name) < 1:
                raise UserError(f"step search {name}={getattr(self, name)}: expected at least 1")
        check_cache_dtype("step search", self.cache_dtype)
        self.sampling()

    def sampling(self) -> DecodeSettings:
        """Return the settings of the sampling of one step."""
        return DecodeSettings(
            temperature=self.temperature,
            top_k=self.top_k,
            top_p=self.top_p,
            num_samples=self.num_candidates,
            max_new_tokens=min(self.max_step_tokens, self.max_new_tokens),
            stop="step",
            calculator=self.calculator,
        )


@dataclasses.dataclass(frozen=True)
class TreeSearchSettings:
    """Set how a tree of steps is searched.

    `steps` is what sampling a node's candidate next steps takes; its caps hold for every path. Beam search keeps the
    `width` best paths at each step. PUCT grows `num_expansions` nodes, going down from the root by the steps' values
    and, weighed by `exploration`, their shares among the policy's candidates. Either stops early rather than sample
    more than `max_policy_tokens` for a problem, or have the reward model read more than `max_rm_tokens`, its prompt
    included.
    """

    steps: StepSearchSettings = StepSearchSettings(num_candidates=4)
    method: str = "beam"
    width: int = 4
    num_expansions: int = 32
    exploration: float = 1.0
    max_policy_tokens: int = 4096
    max_rm_tokens: int = 4096

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UserError(f"tree search method={self.method!r}: expected one of {', '.join(METHODS)}")
        for name in ("width", "num_expansions", "max_policy_tokens", "max_rm_tokens"):
            if getattr(self, name) < 1:
                raise UserError(f"tree search {name}={getattr(self, name)}: expected at least 1")
        if not 0.0 <= self.exploration < float("inf"):
            raise UserError(f"tree search exploration={self.exploration}: expected a number from 0 (greedy in value)")
