"""The model's settings and the named sizes."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from procsup_jax.errors import UserError
from procsup_jax.ranges import Amount, BadValue, Count, Positive, Range, ShareBelowOne, Size, check

DTYPES = ("float32", "bfloat16")
HeadKind = Literal["verdict", "product", "classifier"]
"""How a reward model reads the trunk; each is a class in `heads`."""
AttentionKernel = Literal["auto", "plain", "splash", "flash", "cudnn"]
"""What computes attention over packed documents; see `kernels`."""
Remat = Literal["none", "full", "dots", "dots_no_batch"]
"""What training keeps of each layer; see `transformer.REMAT_POLICIES`."""
# Decoding keeps an angle of every position.
Length = Annotated[int, Range(f"from 1 to {2**24}", 1, 2**24)]


@dataclasses.dataclass(frozen=True)
class RopeScaling:
    """Stretch rotary positions as Llama 3.1 does (`rope_type` "llama3").

    Frequencies that turn fewer than `low_freq_factor` times in `original_max_len` positions are divided by `factor`,
    those that turn more than `high_freq_factor` times stay, and between them the division fades in.
    """

    factor: Positive
    low_freq_factor: Positive
    high_freq_factor: Positive
    original_max_len: Count

    def __post_init__(self) -> None:
        check(self, "model rope_scaling")
        if not (self.factor >= 1 and 0 < self.low_freq_factor < self.high_freq_factor and self.original_max_len >= 1):
            raise UserError(
                f"model rope_scaling={self}: expected factor >= 1, 0 < low_freq_factor < high_freq_factor and "
                "original_max_len >= 1"
            )


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Describe a decoder-only transformer (RMSNorm, RoPE, grouped-query attention, gated MLP).

    `d_ff` is the width of the gated MLP, `max_len` the longest sequence it is trained for, `dropout` the rate on
    embeddings and on both residual branches, `dtype` the compute type ("float32" or "bfloat16"; softmax, norms and
    logits are float32 always) and `param_dtype` the type the parameters are kept in. `remat` says what the backward
    pass computes again of each layer: "none"; "full", all of it from its input; "dots", all but what products of
    matrices made; "dots_no_batch", attention's products too. False and True, as it once was, are "none" and "full".
    `cache_dtype` is the type that keys and values are kept in between calls, None for that of `dtype`. `shift_width` >
    0 adds to the attention's input a learned mix of that many previous positions. `rope_scaling` is a RopeScaling or a
    mapping of its fields, None for none. `attention` names what computes attention over packed documents, "auto" the
    best that the device has (see `kernels`).
    Raises UserError for values that do not go together.
    """

    vocab_size: Count
    num_layers: Count
    d_model: Count
    num_heads: Count
    num_kv_heads: Count
    head_dim: Count
    d_ff: Count
    max_len: Length = 2048
    tied_embeddings: bool = True
    dropout: ShareBelowOne = 0.0
    rope_theta: Positive = 10000.0
    norm_eps: Amount = 1e-5
    dtype: str = "float32"
    param_dtype: str = "float32"
    remat: Remat | bool = "none"
    shift_width: Size = 0
    cache_dtype: str | None = None
    rope_scaling: RopeScaling | None = None
    attention: AttentionKernel = "auto"

    def __post_init__(self) -> None:
        check(self, "model")
        if self.num_heads % self.num_kv_heads:
            raise UserError(
                f"model num_heads={self.num_heads} is no multiple of num_kv_heads={self.num_kv_heads}: each key-value "
                "head serves a whole number of heads; change one of them"
            )
        if self.head_dim % 2:
            raise UserError(f"model head_dim={self.head_dim}: rotary positions need an even number; add or take 1")
        for name in ("dtype", "param_dtype", "cache_dtype"):
            value = getattr(self, name)
            if value not in DTYPES and not (name == "cache_dtype" and value is None):
                raise BadValue(name, value, f"one of {', '.join(DTYPES)}", "model")
        if isinstance(self.remat, bool):
            object.__setattr__(self, "remat", "full" if self.remat else "none")
        for name, kinds in (("remat", Remat), ("attention", AttentionKernel)):
            if getattr(self, name) not in get_args(kinds):
                raise BadValue(name, getattr(self, name), f"one of {', '.join(get_args(kinds))}", "model")
        if isinstance(self.rope_scaling, Mapping):
            object.__setattr__(self, "rope_scaling", RopeScaling(**self.rope_scaling))

    def to_json(self) -> dict[str, Any]:
        """Return the fields as `model.json` has them: as before there were names, where no other name is needed."""
        values = {name: value for name, value in dataclasses.asdict(self).items() if value is not None}
        values["remat"] = {"none": False, "full": True}.get(values["remat"], values["remat"])
        if self.attention == "auto":
            del values["attention"]
        return values

    @property
    def queries_per_kv(self) -> int:
        """Return how many query heads share one key-value head."""
        return self.num_heads // self.num_kv_heads


def _size(
    num_layers: int, d_model: int, num_heads: int, num_kv_heads: int, head_dim: int, d_ff: int, **others: Any
) -> Mapping[str, Any]:
    return dict(
        num_layers=num_layers, d_model=d_model, num_heads=num_heads, num_kv_heads=num_kv_heads, head_dim=head_dim,
        d_ff=d_ff, **others,
    )  # fmt: skip


# Parameters without embeddings. 0.1m compiles fast and learns little. Up to 5m: as deep as is useful for word problems
# (a verifier needs layers after those that look quantities up); from 135m on: the shapes of SmolLM2 and Llama 3.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "0.1m": _size(2, 64, 2, 1, 32, 176, max_len=512),
    "0.5m": _size(4, 96, 3, 3, 32, 256, max_len=512),
    "1m": _size(6, 128, 4, 2, 32, 320, max_len=512),
    "2m": _size(8, 160, 5, 5, 32, 384, max_len=512),
    "5m": _size(10, 224, 7, 7, 32, 576, max_len=1024),
    "25m": _size(12, 448, 7, 7, 64, 1152),
    "135m": _size(30, 576, 9, 3, 64, 1536),
    "360m": _size(32, 960, 15, 5, 64, 2560),
    "1b": _size(16, 2048, 32, 8, 64, 8192, max_len=8192, rope_theta=500000.0),
    "3b": _size(28, 3072, 24, 8, 128, 8192, max_len=8192, rope_theta=500000.0),
    "8b": _size(32, 4096, 32, 8, 128, 14336, max_len=8192, rope_theta=500000.0, tied_embeddings=False),
    "70b": _size(80, 8192, 64, 8, 128, 28672, max_len=8192, rope_theta=500000.0, tied_embeddings=False, remat="full"),
}


def preset(name: str, vocab_size: int, **changes: Any) -> ModelConfig:
    """Return the config of a named size, with `changes` to single fields.

    Raises UserError for an unknown name or field.
    """
    if name not in PRESETS:
        raise UserError(f"model preset {name!r} is unknown: expected one of {', '.join(PRESETS)}")
    known = [field.name for field in dataclasses.fields(ModelConfig)]
    for field in changes:
        if field not in known:
            nearest = difflib.get_close_matches(field, known, 1, 0.0)[0]
            raise UserError(f"model setting {field!r} is unknown: the nearest one is {nearest!r}")
    return ModelConfig(**{"vocab_size": vocab_size, **PRESETS[name], **changes})
