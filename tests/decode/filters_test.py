import jax
import jax.numpy as jnp
import numpy as np
import pytest

from procsup_jax.decode import filters

LOGITS = jnp.log(jnp.array([[0.4, 0.1, 0.3, 0.2], [0.05, 0.8, 0.05, 0.1]]))


def kept(logits, **settings):
    return (np.asarray(filters.keep_top(logits, **settings)) > -np.inf).tolist()


def test_top_k_keeps_the_k_highest():
    assert kept(LOGITS, top_k=2) == [[True, False, True, False], [False, True, False, True]]
    assert kept(LOGITS, top_k=0) == kept(LOGITS, top_k=9) == [[True] * 4] * 2


def test_top_p_keeps_the_fewest_that_make_up_the_mass():
    assert kept(LOGITS, top_p=0.75) == [[True, False, True, True], [False, True, False, False]]
    assert kept(LOGITS, top_p=0.65) == [[True, False, True, False], [False, True, False, False]]
    assert kept(LOGITS, top_p=1e-6) == [[True, False, False, False], [False, True, False, False]]
    assert kept(LOGITS, top_k=2, top_p=0.5)[0] == [True, False, False, False]


@pytest.mark.parametrize("num_tokens", [1, 3, 64, 65, 1000])
def test_inverse_cdf_equals_a_search_in_float64(num_tokens):
    rng = np.random.default_rng(num_tokens)
    logits = rng.normal(0, 3, (200, num_tokens)).astype(np.float32)
    logits[:, rng.random(num_tokens) < 0.3] = -np.inf
    logits[:, num_tokens // 2] = 0.0
    uniform = rng.random(200, np.float32)
    uniform[:2] = 0.0, 1 - 2.0**-24
    probs = np.exp(logits.astype(np.float64))
    ends = np.cumsum(probs, -1) / probs.sum(-1, keepdims=True)
    got = np.asarray(filters.inverse_cdf(jnp.asarray(logits), jnp.asarray(uniform)))
    assert np.all(np.isfinite(logits[np.arange(200), got]))
    starts = ends - probs / probs.sum(-1, keepdims=True)
    at = np.arange(200), got
    assert np.all(starts[at] <= uniform + 1e-6) and np.all(uniform <= ends[at] + 1e-6)
    assert num_tokens < 64 or len(set(got)) > 20


def test_draws_follow_the_tempered_distribution():
    num = 4000
    keys = jax.random.split(jax.random.key(0), num)
    logits = jnp.broadcast_to(LOGITS[0], (num, 4))
    for temperature in (1.0, 0.5):
        drawn = np.asarray(filters.sample(keys, logits, temperature=temperature))
        expected = np.asarray(jax.nn.softmax(LOGITS[0] / temperature))
        shares = np.bincount(drawn, minlength=4) / num
        np.testing.assert_allclose(shares, expected, atol=4 * np.sqrt(0.25 / num))
    filtered = filters.sample(keys, logits, top_k=2)
    assert set(np.asarray(filtered).tolist()) == {0, 2}


def test_a_row_depends_on_its_key_and_logits_alone():
    keys = jax.random.split(jax.random.key(1), 6)
    logits = jax.random.normal(jax.random.key(2), (6, 300))
    whole = filters.sample(keys, logits)
    np.testing.assert_array_equal(filters.sample(keys[2:4], logits[2:4]), whole[2:4])
    np.testing.assert_array_equal(filters.sample(keys[::-1], logits[::-1]), whole[::-1])


def test_greedy_takes_the_first_of_the_highest():
    logits = jnp.array([[0.0, 2.0, 2.0], [-jnp.inf, -5.0, -jnp.inf]])
    assert filters.sample(jax.random.split(jax.random.key(0), 2), logits, temperature=0.0).tolist() == [1, 1]


def test_log_prob_is_that_of_the_softmax():
    np.testing.assert_allclose(filters.log_prob(LOGITS, jnp.array([3, 1])), np.log([0.2, 0.8]), rtol=1e-5)
