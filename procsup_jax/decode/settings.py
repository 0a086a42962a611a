"""What a decoding run is asked to do."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

from procsup_jax.errors import UserError
from procsup_jax.ranges import Amount, BadValue, Count, ShareAboveZero, Size, check

STOPS = ("solution", "step")
CacheDtype = Literal["", "float32", "bfloat16"]


@dataclasses.dataclass(frozen=True)
class DecodeSettings:
    """Set how solutions are sampled.

    `temperature` 0 is greedy; `top_k` 0 and `top_p` 1 leave the distribution whole; `num_samples` is the number of
    samples of each problem (the paper's K, 96), and `with_greedy` adds its greedy one after them; `max_new_tokens`
    bounds a sample, its end token included. `stop` "solution" ends at an end token, or at the separator after the final
    answer; "step" at the first separator or end token. `calculator` forces the values of `<<EXPR=`. `lanes` problems
    with `slots` samples each are decoded at a time: they set speed and memory and never change a sample. `cache_dtype`
    is the type that keys and values are kept in, "" for the model's compute type; "bfloat16" halves the caches of a
    float32 model and changes its samples.
    """

    temperature: Amount = 1.0
    top_k: Size = 0
    top_p: ShareAboveZero = 1.0
    num_samples: Count = 1
    with_greedy: bool = False
    max_new_tokens: Count = 256
    stop: str = "solution"
    calculator: bool = True
    lanes: Count = 8
    slots: Count = 8
    cache_dtype: CacheDtype = ""

    def __post_init__(self) -> None:
        check(self, "decode")
        if self.with_greedy and self.temperature == 0.0:
            raise UserError("decode with_greedy at temperature=0.0: every sample is greedy already; leave it out")
        check_cache_dtype("decode", self.cache_dtype)
        if self.stop not in STOPS:
            raise BadValue("stop", self.stop, f"one of {', '.join(STOPS)}", "decode")


def check_cache_dtype(whose: str, cache_dtype: str) -> None:
    """Raise UserError unless caches can be kept in this type."""
    if cache_dtype not in get_args(CacheDtype):
        raise BadValue("cache_dtype", cache_dtype, 'float32, bfloat16 or "" (the compute type)', whose)
