import dataclasses

import jax
import numpy as np
import pytest

from procsup_jax.models import api

CONFIG = api.ModelConfig(
    vocab_size=40, num_layers=2, d_model=16, num_heads=4, num_kv_heads=2, head_dim=6, d_ff=24, max_len=64
)


@pytest.fixture(params=["tied", "untied"])
def config(request):
    return dataclasses.replace(CONFIG, tied_embeddings=request.param == "tied")


@pytest.fixture
def params(config):
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda a: rng.standard_normal(a.shape).astype(np.float32), api.abstract_params(config))
