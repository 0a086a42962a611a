"""What a decoding run is asked to do."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal, get_args

from procsup_jax.errors import UserError
from procsup_jax.free import FREE
from procsup_jax.ranges import Amount, BadValue, Count, ShareAboveZero, Size, check

STOPS = ("solution", "step")
CacheDtype = Literal["", "float32", "bfloat16"]


@dataclasses.dataclass(frozen=True)
class DrawSettings:
    """Set which tokens are drawn, and what is decoded at a time."""

    top_k: Size = 0
    """Draw from so many of the likeliest tokens; 0: from all."""
    top_p: ShareAboveZero = 1.0
    """Draw from the likeliest tokens that have this probability together; 1: from all."""
    calculator: bool = True
    """Force the values of `<<EXPR=`."""
    lanes: Annotated[Count, FREE] = 8
    """Problems decoded at a time: sets speed and memory, never changes a sample."""
    slots: Annotated[Count, FREE] = 8
    """Samples of a problem decoded at a time: sets speed and memory, never changes a sample."""
    cache_dtype: CacheDtype = ""
    """The type that keys and values are kept in, "" for the model's compute type; "bfloat16" halves the caches of a
    float32 model and changes its samples."""

    def __post_init__(self) -> None:
        check(self, "decode")
        check_cache_dtype("decode", self.cache_dtype)


@dataclasses.dataclass(frozen=True)
class DecodeSettings(DrawSettings):
    """Set how solutions are sampled."""

    temperature: Amount = 1.0
    """0 is greedy."""
    num_samples: Count = 1
    """Samples of each problem (the paper's K, 96)."""
    with_greedy: bool = False
    """Add a problem's greedy solution after its samples."""
    max_new_tokens: Count = 256
    """The most tokens of a sample, its end token included."""
    stop: str = "solution"
    """"solution" ends at an end token, or at the separator after the final answer; "step" at the first separator or end
    token."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.with_greedy and self.temperature == 0.0:
            raise UserError("decode with_greedy at temperature=0.0: every sample is greedy already; leave it out")
        if self.stop not in STOPS:
            raise BadValue("stop", self.stop, f"one of {', '.join(STOPS)}", "decode")


def check_cache_dtype(whose: str, cache_dtype: str) -> None:
    """Raise UserError unless caches can be kept in this type."""
    if cache_dtype not in get_args(CacheDtype):
        raise BadValue("cache_dtype", cache_dtype, 'float32, bfloat16 or "" (the compute type)', whose)
