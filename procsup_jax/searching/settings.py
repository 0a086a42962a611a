"""What a step search is asked to do."""

from __future__ import annotations

import dataclasses
from typing import Annotated

from procsup_jax.decode.settings import CacheDtype, DecodeSettings, check_cache_dtype
from procsup_jax.free import FREE
from procsup_jax.ranges import Amount, BadValue, Count, ShareAboveZero, Size, check

METHODS = ("beam", "puct")


@dataclasses.dataclass(frozen=True)
class StepSearchSettings:
    """Set how the search goes.

    It ends with the step that holds the final answer or ends in an end token, after `max_steps`, or when
    `max_new_tokens` of the solution are written.
    """

    num_candidates: Count = 16
    """Next steps that are sampled (the paper's K)."""
    max_steps: Count = 15
    """The most steps of a solution (the paper: 15)."""
    max_step_tokens: Count = 64
    """A step of so many tokens is cut there by a separator."""
    max_new_tokens: Count = 256
    """The most tokens of a solution, its end token included."""
    temperature: Amount = 1.0
    """That candidates are sampled at."""
    top_k: Size = 0
    """Draw from so many of the likeliest tokens; 0: from all."""
    top_p: ShareAboveZero = 1.0
    """Draw from the likeliest tokens that have this probability together; 1: from all."""
    calculator: bool = True
    """Force the values of `<<EXPR=`."""
    lanes: Annotated[Count, FREE] = 8
    """Problems searched at a time: sets speed and memory, never changes a result."""
    cache_dtype: CacheDtype = ""
    """The type that both models' keys and values are kept in, "" for their compute types; "bfloat16" halves the caches
    of float32 models and changes results."""

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

    Beam search keeps the best paths at each step. PUCT grows a tree, going down from the root by the steps' values and,
    weighed, their shares among the policy's candidates. Either stops early rather than pass a budget of tokens.
    """

    steps: StepSearchSettings = StepSearchSettings(num_candidates=4)
    """What sampling a node's candidate next steps takes; its caps hold for every path."""
    method: str = "beam"
    """"beam" or "puct"."""
    width: Count = 4
    """Beam: the paths kept at each step."""
    num_expansions: Count = 32
    """PUCT: the nodes that are grown."""
    exploration: Amount = 1.0
    """PUCT: the weight of the policy's shares; 0 goes by the values alone."""
    max_policy_tokens: Count = 4096
    """The most tokens sampled for a problem."""
    max_rm_tokens: Count = 4096
    """The most tokens that the reward model reads for a problem, its prompt included."""

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise BadValue("method", self.method, f"one of {', '.join(METHODS)}", "tree search")
        check(self, "tree search")
