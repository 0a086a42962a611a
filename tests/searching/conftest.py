"""A vocabulary, tiny models and re-reading references that the searches' tests share."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reread

from procsup_jax.models import api
from procsup_jax.models.model import Model
from procsup_jax.text import vocab as vocabs

TEXT = "Question: Ann has 5 apples and gets 3 more. How many?\nSolution:\nAnn: 5 + 3 = <<5+3=8>>8\n#### 8"


@pytest.fixture(scope="session")
def vocab(tmp_path_factory):
    return vocabs.train_vocab([TEXT], 320, tmp_path_factory.mktemp("vocab") / "v.model", seed=0)


def small_config(vocab, **changes):
    sizes = {"num_layers": 1, "d_model": 16, "num_heads": 2, "num_kv_heads": 1, "head_dim": 8, "d_ff": 24}
    others = {"vocab_size": vocab.size, "max_len": 96, "tied_embeddings": False}
    return api.ModelConfig(**sizes | others | changes)


def opinionated(config, vocab, seed):
    """Return a random model that depends on what it read, and writes mostly digits, operators and line breaks.

    Those are single tokens in any context, so that what it writes is encoded as it was written.
    """
    params = api.init_params(config, jax.random.key(seed))
    scale = np.zeros((config.vocab_size, 1), np.float32)
    scale[vocab.encode("0123456789+-*/=")] = 3.6
    scale[vocab.sep_id], scale[vocab.eos_id], scale[vocab.encode("#### ")[0]] = 12.0, 4.0, 3.2
    scale[[vocab.correct_id, vocab.incorrect_id]] = 2.4
    return {**params, "embedding": params["embedding"] * 4, "unembedding": params["unembedding"] * scale}


@pytest.fixture(scope="session")
def policy(vocab):
    config = small_config(vocab, shift_width=1)
    return Model(config, opinionated(config, vocab, 0), vocab, name="policy")


@pytest.fixture(scope="session")
def rm(vocab):
    """Return a reward model that reads products: what it carries along a path is the most that any does."""
    config = small_config(vocab, num_layers=2)
    model = Model(config, opinionated(config, vocab, 1), vocab, name="rm").with_head(api.ProductHead())
    own = 0.01 * np.random.default_rng(1).standard_normal(model.params["head"].shape)
    return model.replace(params=model.params | {"head": own})


@pytest.fixture(scope="session")
def scripted(vocab):
    """Return a maker of policies that write after each token any of those that a script allows, all as likely.

    The layers add nothing, and each token's embedding points at what may follow it.
    """

    def make(script):
        config = small_config(vocab, d_model=vocab.size)
        params = jax.tree.map(jnp.zeros_like, api.init_params(config, jax.random.key(0)))
        follows = np.zeros((vocab.size, vocab.size), np.float32)
        for before, after in script.items():
            follows[before, after] = 1.0
        params |= {
            "embedding": jnp.asarray(follows),
            "unembedding": 9.0 * jnp.eye(vocab.size),
            "final_norm": jax.tree.map(jnp.ones_like, params["final_norm"]),
        }
        return Model(config, params, vocab, name="policy")

    return make


@pytest.fixture(scope="session")
def naive_step(policy, vocab):
    """Return what samples one step by re-reading prompt and solution for every token."""
    writable = np.array([bool(b) for b in vocab.token_bytes()])
    writable[vocab.eos_id] = True

    def sample(prompt, written, limit, key):
        step = []
        while True:
            token = reread.draw(policy, prompt + written + step, writable, key, len(written) + len(step))
            if len(step) + 1 == limit and token != vocab.eos_id:
                token = vocab.sep_id
            step.append(token)
            if token in (vocab.eos_id, vocab.sep_id):
                return step

    return sample


@pytest.fixture(scope="session")
def naive_prob(rm):
    """Return what reads a prompt and steps from the start: the probability of `correct` after them."""
    return functools.partial(reread.prob, rm)
