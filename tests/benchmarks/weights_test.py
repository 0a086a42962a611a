import jax
import numpy as np

from benchmarks import weights
from procsup_jax.models import api


def test_weights_come_back_as_they_were(task):
    config = weights.model_config(task.shape)
    assert config.queries_per_kv > 1
    params = api.init_params(config, jax.random.key(0))
    found = weights.load(task.weights, config)
    assert jax.tree.structure(found) == jax.tree.structure(params)
    jax.tree.map(np.testing.assert_array_equal, found, params)
