"""A model whole: its network, parameters, tokenizer, layout and, if it judges, its head."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from procsup_jax.errors import UserError
from procsup_jax.models import api, roles
from procsup_jax.parallel import rules
from procsup_jax.text.encoding import Encoding
from procsup_jax.text.layout import LINES, Layout
from procsup_jax.text.tokenizer import Tokenizer


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    """Hold a policy, or with a `head` a reward model: what every entry point takes.

    `params` are Params, or DecoderParams once they are unstacked (see `models.api`).
    `mesh` is what the parameters are spread over, None for one device. `name` is what messages and records call it,
    `metadata` any JSON object, `digest` identifies the stored parameters it was read from ("": none). Raises UserError
    when the tokenizer has more tokens than the network, or lacks one that the layout needs.
    """

    config: api.ModelConfig
    params: Any
    tokenizer: Tokenizer
    layout: Layout = LINES
    head: api.Head | None = None
    mesh: Mesh | None = None
    name: str = "model"
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    digest: str = ""

    def __post_init__(self) -> None:
        if self.tokenizer.size > self.config.vocab_size:
            raise UserError(
                f"{self.name}: the tokenizer has {self.tokenizer.size} tokens and the network "
                f"vocab_size={self.config.vocab_size}: use the tokenizer that the model was trained with"
            )

    @functools.cached_property
    def encoding(self) -> Encoding:
        """Return how the model reads and writes problems and solutions."""
        return Encoding(self.tokenizer, self.layout)

    @property
    def identity(self) -> tuple[Any, ...]:
        """Return what tells the model from others, for JSON; raise UserError for parameters that were read nowhere."""
        if not self.digest:
            raise UserError(f"{self.name}: its parameters have no digest; save the model and load it")
        head = api.head_to_json(self.head)
        return self.digest, self.config.to_json(), head, self.tokenizer.digest, self.layout.to_json()

    @property
    def network(self) -> api.Network:
        """Return what computes of the model."""
        return api.Network(self.config, self.params, self.head, self.mesh)

    @property
    def reward_head(self) -> api.Head:
        """Return the head; raise UserError where the model is a policy and has none."""
        roles.check_judge(self.name, self.head)
        assert self.head is not None
        return self.head

    def check_policy(self) -> None:
        """Raise UserError where the model is a reward model; `with_head(None)` is the policy that its trunk makes."""
        roles.check_policy(self.name, self.head)

    def replace(self, **changes: Any) -> Model:
        """Return a model that differs in these fields."""
        return dataclasses.replace(self, **changes)

    def with_head(self, head: api.Head | None, key: jax.Array | None = None) -> Model:
        """Return the same trunk under this head, ready to be trained (see `api.with_head`); None makes it a policy."""
        return self.replace(head=head, params=api.with_head(self.config, self.params, head, key))

    def unstack(self) -> Model:
        """Return the model laid out for decoding, in place of this one, whose parameters are freed on the way.

        Sampling and searching copy other parameters and read these as they are; scoring takes both, training others.
        """
        with rules.use(self.mesh):
            return self.replace(params=api.unstack(self.config, self.params))

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, without what documents start and end with."""
        return self.tokenizer.encode(text)

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids; special ones give nothing."""
        return self.tokenizer.decode(ids)

    def logprobs(self, ids: Sequence[int]) -> np.ndarray:
        """Return the log-probability (nats) of each token after the first given those before it, float32 [l - 1].

        Raises UserError for more tokens than the model reads, and for ids that it does not have.
        """
        length = len(ids)
        if length > self.config.max_len:
            raise UserError(f"{self.name}: {length} tokens, expected at most the model's max_len={self.config.max_len}")
        wrong = next((i for i in ids if not 0 <= i < self.config.vocab_size), None)
        if wrong is not None:
            raise UserError(f"{self.name}: token id {wrong}, expected 0 to {self.config.vocab_size - 1}")
        if length < 2:
            return np.zeros(0, np.float32)
        padded_l = np.zeros(min(-(-length // _PADDED) * _PADDED, self.config.max_len), np.int32)
        padded_l[:length] = ids
        return np.asarray(_logprobs(self.config, self.params, jnp.asarray(padded_l[None])))[0, : length - 1]


# Texts are padded to multiples of so many tokens: a program is compiled for each.
_PADDED = 128


@functools.partial(jax.jit, static_argnums=0)
def _logprobs(config: api.ModelConfig, params: api.Params, tokens_bl: jax.Array) -> jax.Array:
    """Return the log-probability of each token but the first of whole rows, [b, l - 1]."""
    positions_bl = jnp.broadcast_to(jnp.arange(tokens_bl.shape[1]), tokens_bl.shape)
    states_bld = api.hidden(config, params, tokens_bl, positions_bl, jnp.ones_like(tokens_bl))

    def of_next(states_btd: jax.Array, next_bt: jax.Array) -> jax.Array:
        logits_btv = api.unembed(config, params, states_btd)
        found_bt1 = jnp.take_along_axis(jax.nn.log_softmax(logits_btv), next_bt[..., None], -1)
        return found_bt1[..., 0]

    next_bl = jnp.pad(tokens_bl[:, 1:], ((0, 0), (0, 1)))
    found_cbt = api.map_chunks(of_next, config.vocab_size, states_bld, next_bl)
    return jnp.moveaxis(found_cbt, 0, 1).reshape(tokens_bl.shape)[:, :-1]
