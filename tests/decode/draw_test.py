"""Keys belong to (problem, sample, token), not to slots; what is drawn is allowed, and told its log-probability."""

import jax
import jax.numpy as jnp
import numpy as np

from procsup_jax.decode import draw
from procsup_jax.decode.automaton import make_tables
from procsup_jax.decode.settings import DecodeSettings

KEYS_N2 = np.array([[1, 2], [3, 4]], np.uint32)


def logits(seed=0, shape=(2, 3, 20)):
    return jax.random.normal(jax.random.key(seed), shape) * 3


def tables(allowed):
    allowed_v = jnp.asarray(allowed)
    automaton = make_tables([b"x"] * len(allowed_v), b"\n", b"#### ")
    return draw.VocabTables(allowed_v, jnp.zeros_like(allowed_v), automaton, None)


def keys(samples, index=0):
    samples = jnp.asarray(samples)
    return draw.token_keys(jnp.asarray(KEYS_N2), samples, jnp.full_like(samples, index))


def test_a_key_is_a_fold_of_problem_sample_and_token_whatever_the_slot():
    found = jax.random.key_data(keys([[0, 5, 7], [7, 5, 0]], index=3))
    turned = jax.random.key_data(keys([[7, 0, 5], [0, 7, 5]], index=3))
    np.testing.assert_array_equal(found[0], turned[0][np.array([1, 2, 0])])
    np.testing.assert_array_equal(found[1], turned[1][np.array([1, 2, 0])])
    problem = jax.random.wrap_key_data(jnp.asarray(KEYS_N2[1]), impl="threefry2x32")
    expected = jax.random.fold_in(jax.random.fold_in(problem, 5), 3)
    np.testing.assert_array_equal(found[1, 1], jax.random.key_data(expected))
    distinct = {tuple(np.asarray(key)) for key in found.reshape(-1, 2)}
    assert len(distinct) == 6


def test_what_is_not_allowed_is_never_drawn_and_greedy_slots_take_the_likeliest():
    allowed = np.arange(20) % 2 == 0
    greedy = np.array([[True, False, False], [False, False, True]])
    best = np.where(allowed, np.asarray(logits()), -np.inf).argmax(-1)
    drawn = []
    for seed in range(40):
        token, _ = draw.draw(DecodeSettings(), tables(allowed), logits(), keys([[seed] * 3] * 2), greedy)
        assert (np.asarray(token) % 2 == 0).all()
        np.testing.assert_array_equal(np.asarray(token)[greedy], best[greedy])
        drawn.append(np.asarray(token)[~greedy])
    assert len(np.unique(drawn)) > 3


def test_the_logprob_is_that_of_the_whole_distribution_at_temperature_1():
    settings = DecodeSettings(temperature=0.5, top_k=3)
    token, logprob = draw.draw(settings, tables(np.arange(20) > 0), logits(), keys([[0, 1, 2]] * 2))
    expected = np.take_along_axis(np.asarray(jax.nn.log_softmax(logits())), np.asarray(token)[..., None], -1)[..., 0]
    np.testing.assert_allclose(logprob, expected, rtol=1e-5)
