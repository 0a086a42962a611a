"""A model small enough that its programs compile in a second, and data for it."""

import jax
import numpy as np
import pytest

from procsup_jax.data import pack
from procsup_jax.models import api

CORRECT_ID, INCORRECT_ID, EOS_ID = 30, 31, 29


@pytest.fixture(scope="session")
def config():
    return api.ModelConfig(
        vocab_size=32, num_layers=1, d_model=16, num_heads=2, num_kv_heads=2, head_dim=8, d_ff=32, max_len=32
    )


@pytest.fixture(scope="session")
def params(config):
    return api.init_params(config, jax.random.key(0))


@pytest.fixture(scope="session")
def make_documents():
    """Return a function from (number, seed) to packed random documents."""

    def make(num, seed, seq_len=16):
        rng = np.random.default_rng(seed)
        return pack.pack([pack.document_example(rng.integers(0, 29, rng.integers(4, 14))) for _ in range(num)], seq_len)

    return make
