"""Heads with weights of their own, as published process reward models have, read at step ends or marker tokens."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, Literal, get_args

import jax
import jax.numpy as jnp

from procsup_jax.errors import UserError
from procsup_jax.models.config import ModelConfig
from procsup_jax.models.heads.base import PointwiseHead
from procsup_jax.models.layers import Params, matmul

Activation = Literal["relu", "gelu", "silu", "tanh"]
_ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "relu": jax.nn.relu,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "silu": jax.nn.silu,
    "tanh": jnp.tanh,
}
# Logits start at about this size, so that training starts near a probability of one half.
_INIT_SCALE = 0.1


@dataclasses.dataclass(frozen=True)
class ClassifierHead(PointwiseHead):
    """Read the hidden state with one linear layer, or with two and an activation between them.

    One output is the logit itself; of two, (incorrect, correct), it is the second minus the first, the logit of a
    softmax's second probability. `hidden` is the width between two layers, None for the model's. One layer and one
    output: the value heads of TRL and Skywork; one and two: token classification as in TRL's PRMTrainer; two and two:
    Qwen2.5-Math-PRM. Parameters: `out` and, of two layers, `hidden`, each with `kernel` [in, out] and, with `bias`,
    `bias`. Raises UserError for values out of range.
    """

    kind: ClassVar[str] = "classifier"

    num_layers: int = 1
    num_outputs: int = 1
    hidden: int | None = None
    bias: bool = True
    activation: Activation = "relu"

    def __post_init__(self) -> None:
        for name in ("num_layers", "num_outputs"):
            if getattr(self, name) not in (1, 2):
                raise UserError(f"classifier {name}={getattr(self, name)!r}: expected 1 or 2")
        if self.hidden is not None and (self.num_layers == 1 or not isinstance(self.hidden, int) or self.hidden < 1):
            raise UserError(
                f"classifier hidden={self.hidden!r} with num_layers={self.num_layers}: expected the width between two "
                "layers, at least 1, or null"
            )
        if not isinstance(self.bias, bool):
            raise UserError(f"classifier bias={self.bias!r}: expected true or false")
        if self.activation not in get_args(Activation):
            expected = ", ".join(get_args(Activation))
            raise UserError(f"classifier activation={self.activation!r}: expected one of {expected}")

    def init_params(self, config: ModelConfig, key: jax.Array) -> Any:
        """Draw the kernels from normal distributions scaled by their fan-in; biases are zero."""
        dtype = jnp.dtype(config.param_dtype)

        def draw(place: int, sizes: tuple[int, int], scale: float) -> jax.Array:
            wide = jax.random.normal(jax.random.fold_in(key, place), sizes)
            return (scale * sizes[0] ** -0.5 * wide).astype(dtype)

        scales = {"hidden": 2**0.5, "out": _INIT_SCALE}
        return {
            name: {"kernel": draw(place, sizes, scales[name])}
            | ({"bias": jnp.zeros(sizes[1], dtype)} if self.bias else {})
            for place, (name, sizes) in enumerate(self._sizes(config).items())
        }

    def param_axes(self, config: ModelConfig) -> Any:
        """Return the axes of the layers there are; what lies between two of them is cut like an MLP's hidden units."""
        inner = "ff" if self.num_layers == 2 else "embed"
        axes: dict[str, tuple[str | None, str | None]] = {"hidden": ("embed", "ff"), "out": (inner, None)}
        return {
            name: {"kernel": axes[name]} | ({"bias": axes[name][1:]} if self.bias else {})
            for name in self._sizes(config)
        }

    def logit(self, config: ModelConfig, params: Params, states: jax.Array) -> jax.Array:
        """Run the layers; the last one sums in float32."""
        own = params["head"]
        if self.num_layers == 2:
            states = matmul(states, own["hidden"]["kernel"])
            if self.bias:
                states = states + own["hidden"]["bias"].astype(states.dtype)
            states = _ACTIVATIONS[self.activation](states)
        kernel_do = own["out"]["kernel"].astype(states.dtype)
        flat = states.reshape(-1, states.shape[-1])
        outputs_xo = jnp.einsum("xd,do->xo", flat, kernel_do, preferred_element_type=jnp.float32)
        if self.bias:
            outputs_xo = outputs_xo + own["out"]["bias"].astype(jnp.float32)
        logit_x = outputs_xo[:, -1] if self.num_outputs == 1 else outputs_xo[:, 1] - outputs_xo[:, 0]
        return logit_x.reshape(states.shape[:-1])

    def _sizes(self, config: ModelConfig) -> dict[str, tuple[int, int]]:
        if self.num_layers == 1:
            return {"out": (config.d_model, self.num_outputs)}
        width = self.hidden or config.d_model
        return {"hidden": (config.d_model, width), "out": (width, self.num_outputs)}
