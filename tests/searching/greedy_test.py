import jax.numpy as jnp

from procsup_jax.searching import greedy


def test_highest_takes_the_first_of_equals_and_nothing_impossible():
    prob = jnp.array([[0.2, 0.9, 0.9], [0.5, 0.5, 0.5], [0.9, 0.1, 0.3]])
    possible = jnp.array([[True, True, True], [False, True, True], [False, True, True]])
    assert greedy.highest(prob, possible).tolist() == [1, 1, 2]
