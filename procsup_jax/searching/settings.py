"""What a step search is asked to do."""

from __future__ import annotations

import dataclasses

from procsup_jax.decode.settings import CacheDtype, DecodeSettings, check_cache_dtype
from procsup_jax.ranges import Amount, BadValue, Count, ShareAboveZero, Size, check

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

    num_candidates: Count = 16
    max_steps: Count = 15
    max_step_tokens: Count = 64
    max_new_tokens: Count = 256
    temperature: Amount = 1.0
    top_k: Size = 0
    top_p: ShareAboveZero = 1.0
    calculator: bool = True
    lanes: Count = 8
    cache_dtype: CacheDtype = ""

    def __post_init__(self) -> None:
        check(self, "step search")
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
    width: Count = 4
    num_expansions: Count = 32
    exploration: Amount = 1.0
    max_policy_tokens: Count = 4096
    max_rm_tokens: Count = 4096

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise BadValue("method", self.method, f"one of {', '.join(METHODS)}", "tree search")
        check(self, "tree search")
