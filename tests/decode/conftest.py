"""A vocabulary and tiny models that decoding's tests share."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from procsup_jax.models import api
from procsup_jax.models.model import Model
from procsup_jax.text import vocab as vocabs

TEXTS = [
    "Question: Ann has 5 apples and gets 3 more. How many has she?\nSolution:\nAnn: 5 + 3 = <<5+3=8>>8 apples\n#### 8",
    "Question: Bob had 12 pens, gave 7 away. How many are left?\nSolution:\nBob: 12 - 7 = <<12-7=5>>5 pens\n#### 5",
]


@pytest.fixture(scope="session")
def vocab(tmp_path_factory):
    return vocabs.train_vocab(TEXTS, 340, tmp_path_factory.mktemp("vocab") / "v.model", seed=0)


@pytest.fixture(scope="session")
def config(vocab):
    return api.ModelConfig(
        vocab_size=vocab.size + 3,
        num_layers=2,
        d_model=16,
        num_heads=2,
        num_kv_heads=1,
        head_dim=8,
        d_ff=24,
        max_len=256,
        shift_width=2,
        tied_embeddings=False,
    )


@pytest.fixture(scope="session")
def params(config, vocab):
    """Return a random model with firm opinions that ends now and then."""
    params = api.init_params(config, jax.random.key(0))
    scale = np.full((config.vocab_size, 1), 3.2, np.float32)
    scale[vocab.eos_id] = 8.8
    return {**params, "embedding": params["embedding"] * 4, "unembedding": params["unembedding"] * scale}


@pytest.fixture(scope="session")
def model(config, params, vocab):
    return Model(config, params, vocab, name="sft")


@pytest.fixture(scope="session")
def scripted(config, vocab):
    """Return a maker of models whose greedy continuation of each token is the next one of a script.

    The layers add nothing, and each token's embedding points at its successor: a script can't hold a token twice
    unless what follows is the same.
    """

    def make(*scripts):
        wide = dataclasses.replace(config, d_model=config.vocab_size, shift_width=0, num_layers=1)
        successor = np.zeros((wide.vocab_size, wide.d_model), np.float32)
        for script in scripts:
            for before, after in zip(script[:-1], script[1:], strict=True):
                successor[before, after] = 1.0
        assert successor.sum(-1).max() == 1.0
        params = jax.tree.map(jnp.zeros_like, api.init_params(wide, jax.random.key(0)))
        params |= {
            "embedding": jnp.asarray(successor),
            "unembedding": 0.4 * jnp.eye(wide.vocab_size),
            "final_norm": jax.tree.map(jnp.ones_like, params["final_norm"]),
        }
        return Model(wide, params, vocab, name="sft")

    return make
