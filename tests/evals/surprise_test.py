import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from procsup_jax.evals import surprise


def solutions(num, seed=0):
    """Draw solutions whose wrong steps hold one unlikely token; labels stay wrong from there on."""
    rng = np.random.default_rng(seed)
    found, correct = [], []
    for _ in range(num):
        first_error = rng.integers(0, 6)
        steps = [-rng.exponential(0.2, size=8) for _ in range(5)]
        if first_error < 5:
            steps[first_error][rng.integers(8)] = -rng.uniform(2, 6)
        found.append(steps)
        correct.append([i < first_error for i in range(5)])
    return found, correct


def test_features_of_a_hand_made_solution():
    found = surprise.features([np.array([-0.5, -3.0]), np.array([-5.0])])
    np.testing.assert_allclose(found, [[-3, -3.5, -3, -3.5, 1, 1, 0, 0], [-5, -5, -5, -8.5, 2, 2, 1, 1]])
    assert surprise.features([]).shape == (0, 8)


def test_finds_the_steps_after_an_unlikely_token():
    verifier = surprise.fit(*solutions(200))
    found, correct = solutions(100, seed=1)
    probs = np.concatenate([verifier.step_probs(steps) for steps in found])
    labels = np.concatenate(correct)
    assert ((probs >= 0.5) == labels).mean() > 0.9
    assert verifier.step_probs([]).shape == (0,)


def test_without_a_signal_it_says_the_base_rate():
    steps, rng = [np.full(4, -0.5)], np.random.default_rng(0)
    correct = [[bool(rng.random() < 0.7)] for _ in range(1000)]
    [prob] = surprise.fit([steps] * 1000, correct).step_probs(steps)
    assert prob == pytest.approx(np.mean(correct), abs=3e-3)


@given(st.lists(st.lists(st.floats(-20, 0), min_size=1, max_size=4), min_size=1, max_size=5))
def test_a_step_depends_on_the_steps_before_it_alone(steps):
    arrays = [np.array(step) for step in steps]
    np.testing.assert_array_equal(surprise.features(arrays)[:-1], surprise.features(arrays[:-1]))


def test_one_label_alone_or_none_is_no_error():
    found, correct = solutions(100)
    always = surprise.fit(found, [[True] * len(labels) for labels in correct])
    assert min(always.step_probs(found[0])) > 0.9
    np.testing.assert_array_equal(surprise.fit([], []).step_probs(found[0]), [0.5] * 5)
