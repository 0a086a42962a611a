import dataclasses
import functools
from collections.abc import Callable

import jax
import numpy as np
import pytest

from procsup_jax.models import api

CONFIG = api.ModelConfig(
    vocab_size=40, num_layers=2, d_model=16, num_heads=4, num_kv_heads=2, head_dim=8, d_ff=24, shift_width=2, max_len=64
)


jitted_hidden = jax.jit(api.hidden, static_argnums=0)


@pytest.fixture
def config() -> api.ModelConfig:
    return CONFIG


@pytest.fixture(params=["plain", "shifted"])
def each_config(request: pytest.FixtureRequest) -> api.ModelConfig:
    """Run without and with the token shift, untied and tied."""
    if request.param == "plain":
        return dataclasses.replace(CONFIG, shift_width=0, tied_embeddings=False)
    return CONFIG


@pytest.fixture
def make_params() -> Callable[[api.ModelConfig], api.Params]:
    return random_params


HEADS = {
    "verdict": api.VerdictHead(5, 11),
    "product": api.ProductHead(),
    "linear": api.ClassifierHead(),
    "two layers": api.ClassifierHead(2, 2),
}
SCALES = {"verdict": 0.0, "product": 0.01, "classifier": 0.5}


@pytest.fixture(params=list(HEADS))
def reader(
    request: pytest.FixtureRequest, each_config: api.ModelConfig, make_params: Callable[[api.ModelConfig], api.Params]
) -> tuple[api.ModelConfig, api.Head, api.Params]:
    """Return a model with one of the heads, all of its parameters random."""
    head, rng = HEADS[request.param], np.random.default_rng(3)
    params = api.with_head(each_config, make_params(each_config), head)
    if "head" not in params:
        return each_config, head, params
    own = jax.tree.map(lambda a: np.float32(SCALES[head.kind] * rng.standard_normal(a.shape)), params["head"])
    return each_config, head, {**params, "head": own}


@functools.cache
def random_params(config: api.ModelConfig) -> api.Params:
    """Draw every parameter at random, those that start at zero or one as well, so that each one matters."""
    rng = np.random.default_rng(0)
    return jax.tree.map(
        lambda a: np.asarray(a) + 0.3 * rng.standard_normal(a.shape).astype(a.dtype),
        api.init_params(config, jax.random.key(0)),
    )


@pytest.fixture
def tokens_bl() -> np.ndarray:
    return np.random.default_rng(2).integers(0, CONFIG.vocab_size, (3, 24))


@pytest.fixture
def prompt_lens() -> np.ndarray:
    return np.array([6, 2, 9])


jitted_rm_logits = jax.jit(api.rm_logits, static_argnums=(0, 1))


@pytest.fixture
def read_whole(prompt_lens: np.ndarray) -> Callable[..., np.ndarray]:
    """Return what reads the logits of unpacked rows whose prompts have `prompt_lens` tokens."""

    def read(config: api.ModelConfig, head: api.Head, params: api.Params, tokens_bl: np.ndarray) -> np.ndarray:
        positions = np.tile(np.arange(tokens_bl.shape[1]), (len(tokens_bl), 1))
        solution = (positions >= prompt_lens[: len(tokens_bl), None]).astype(int)
        ones = np.ones_like(positions)
        return np.asarray(jitted_rm_logits(config, head, params, tokens_bl, positions, ones, solution))

    return read


@pytest.fixture
def hidden() -> Callable[..., np.ndarray]:
    """Return api.hidden, jitted once for all tests, with its result on the host."""
    return host_hidden


def host_hidden(config: api.ModelConfig, params: api.Params, tokens_bl, positions_bl, segments_bl, **kwargs):
    arrays = (np.asarray(a, np.int32) for a in (tokens_bl, positions_bl, segments_bl))
    return np.asarray(jitted_hidden(config, params, *arrays, **kwargs))


@pytest.fixture
def run() -> Callable[[api.ModelConfig, api.Params, np.ndarray], np.ndarray]:
    """Return hidden states of whole, unpacked rows."""
    return whole_rows


def whole_rows(config: api.ModelConfig, params: api.Params, tokens_bl: np.ndarray) -> np.ndarray:
    positions = np.broadcast_to(np.arange(tokens_bl.shape[1]), tokens_bl.shape)
    return host_hidden(config, params, tokens_bl, positions, np.ones_like(tokens_bl))
