import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from procsup_jax.models import api
from procsup_jax.models.layers import RMSNorm, TokenShift, rotary, rotate


def test_rotation_depends_on_relative_position_only(config: api.ModelConfig) -> None:
    q, k = jax.random.normal(jax.random.key(0), (2, config.head_dim))

    def score(q_position: int, k_position: int) -> float:
        rope_q, rope_k = (rotary(config, jnp.array(p)) for p in (q_position, k_position))
        return float(rotate(q, rope_q) @ rotate(k, rope_k))

    np.testing.assert_allclose(score(5, 2), score(905, 902), rtol=1e-4)
    np.testing.assert_allclose(score(0, 0), float(q @ k), rtol=1e-6)
    assert abs(score(5, 2) - score(5, 3)) > 1e-3


def test_rms_norm_gives_unit_mean_square(config: api.ModelConfig) -> None:
    x_ld = 100 * jax.random.normal(jax.random.key(0), (5, config.d_model))
    norm = RMSNorm(config)
    out_ld = norm.apply(norm.init(jax.random.key(1), x_ld), x_ld)
    np.testing.assert_allclose((out_ld**2).mean(-1), 1.0, rtol=1e-4)


def test_token_shift_mixes_earlier_positions_of_the_same_document(config: api.ModelConfig) -> None:
    config = dataclasses.replace(config, shift_width=2)
    x_rld = jax.random.normal(jax.random.key(0), (1, 5, config.d_model))
    segments_rl = jnp.array([[1, 1, 1, 2, 2]])
    mix = jax.random.normal(jax.random.key(1), (2, config.d_model))
    out = TokenShift(config).apply({"params": {"mix": mix}}, x_rld, segments_rl)[0]
    x = x_rld[0]
    want = [x[0], x[1] + mix[0] * x[0], x[2] + mix[0] * x[1] + mix[1] * x[0], x[3], x[4] + mix[0] * x[3]]
    np.testing.assert_allclose(out, jnp.stack(want), atol=1e-6)


def test_grouped_queries_equal_repeated_key_value_heads(config, make_params, tokens_bl, run) -> None:
    params = make_params(config)
    whole = dataclasses.replace(config, num_kv_heads=config.num_heads)
    qkv = params["layers"]["attention"]["qkv"]  # [layers, d, k, g + 2, e]
    g = config.queries_per_kv
    q = qkv[:, :, :, :g].reshape(*qkv.shape[:2], config.num_heads, 1, config.head_dim)
    kv = np.repeat(qkv[:, :, :, g:], g, axis=2)
    repeated = jax.tree.map(lambda a: a, params)
    repeated["layers"]["attention"]["qkv"] = np.concatenate([q, kv], axis=3)
    np.testing.assert_allclose(run(config, params, tokens_bl), run(whole, repeated, tokens_bl), atol=1e-5)
