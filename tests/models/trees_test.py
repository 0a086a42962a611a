"""Prompts with several solutions each read as they are one by one, whatever stands beside them."""

import jax
import numpy as np
import pytest

from procsup_jax.models import api, trees

SHAPE = api.TreeShape(num_tokens=64, num_prompts=4, prompt_len=12, num_branches=6, branch_len=10)

tree_hidden = jax.jit(api.tree_hidden, static_argnums=0)
rm_tree_logits = jax.jit(api.rm_tree_logits, static_argnums=(0, 1))
rm_logits = jax.jit(api.rm_logits, static_argnums=(0, 1))


@pytest.fixture
def texts():
    """Return prompts, one of a single token, and solutions with their prompts' indices."""
    rng = np.random.default_rng(5)
    prompts = [rng.integers(1, 40, size).tolist() for size in (7, 1, 12)]
    branches = [(n, rng.integers(1, 40, size).tolist()) for n, size in [(0, 5), (2, 10), (0, 1), (1, 4)]]
    return prompts, branches


def in_one_row(rows):
    return jax.tree.map(lambda *arrays: np.stack(arrays), *rows)


def places(grown, r, size):
    return grown.branch_brt[0, r, :size]


def alone(prompt, branch, length=32):
    """Return a padded row of one prompt with one solution: tokens, positions, segments, which are the solution's."""
    tokens, spots = [*prompt, *branch], np.arange(length)[None]
    padded = np.zeros((1, length), np.int32)
    padded[0, : len(tokens)] = tokens
    real = spots < len(tokens)
    return padded, spots, real.astype(np.int32), (real & (spots >= len(prompt))).astype(np.int32)


def test_hidden_states_are_those_of_each_solution_after_its_prompt(each_config, make_params, hidden, texts):
    params, (prompts, branches) = make_params(each_config), texts
    tokens_bl, grown = in_one_row([api.plant(SHAPE, prompts, branches)])
    got = np.asarray(tree_hidden(each_config, params, tokens_bl, grown))[0]
    for r, (n, branch) in enumerate(branches):
        want = hidden(each_config, params, *alone(prompts[n], branch)[:3])[0, : len(prompts[n]) + len(branch)]
        np.testing.assert_allclose(got[places(grown, r, len(branch))], want[len(prompts[n]) :], atol=2e-5)
        np.testing.assert_allclose(got[grown.prompt_bnp[0, n, : len(prompts[n])]], want[: len(prompts[n])], atol=2e-5)


def test_all_heads_say_rm_logits_of_each_solution_after_its_prompt(reader, texts):
    config, head, params = reader
    prompts, branches = texts
    got = np.asarray(rm_tree_logits(config, head, params, *in_one_row([api.plant(SHAPE, prompts, branches)])))[0]
    dparams = api.unstack(config, params, donate=False)
    unstacked = rm_tree_logits(config, head, dparams, *in_one_row([api.plant(SHAPE, prompts, branches)]))
    np.testing.assert_allclose(unstacked[0], got, rtol=1e-5, atol=1e-5)
    for r, (n, branch) in enumerate(branches):
        want = np.asarray(rm_logits(config, head, params, *alone(prompts[n], branch)))[0, len(prompts[n]) :]
        np.testing.assert_allclose(got[r, : len(branch)], want[: len(branch)], rtol=1e-4, atol=1e-4)


def test_rows_and_what_else_stands_in_them_change_nothing(reader, texts):
    config, head, params = reader
    prompts, branches = texts
    one = api.plant(SHAPE, prompts, branches)
    want = np.asarray(rm_tree_logits(config, head, params, *in_one_row([one])))[0]
    last = api.plant(SHAPE, [prompts[0], prompts[2]], [(1, branches[1][1])])
    got = np.asarray(rm_tree_logits(config, head, params, *in_one_row([last, api.plant(SHAPE, [], []), one])))
    np.testing.assert_allclose(got[2, :4], want[:4], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(got[0, 0], want[1], rtol=1e-5, atol=1e-5)
    roomy = api.TreeShape(*(2 * size for size in SHAPE))
    got = np.asarray(rm_tree_logits(config, head, params, *in_one_row([api.plant(roomy, prompts, branches)])))[0]
    for r, (_, branch) in enumerate(branches):
        np.testing.assert_allclose(got[r, : len(branch)], want[r, : len(branch)], rtol=1e-5, atol=1e-5)


def test_tokens_lie_once_and_know_what_they_follow(texts):
    prompts, branches = texts
    tokens_l, grown = api.plant(SHAPE, prompts, branches)
    lie = [*(t for prompt in prompts for t in prompt), *(t for _, branch in branches for t in branch)]
    assert tokens_l.tolist() == lie + [0] * (SHAPE.num_tokens - len(lie))
    for r, (n, branch) in enumerate(branches):
        at, path = grown.branch_brt[r, len(branch) - 1], []
        while at >= 0:
            path.append(tokens_l[at])
            assert grown.position_bl[at] == len(prompts[n]) + len(branch) - len(path)
            at = grown.parent_bl[at]
        assert path[::-1] == [*prompts[n], *branch]


def test_what_does_not_fit_is_an_error(texts):
    prompts, branches = texts
    with pytest.raises((IndexError, ValueError)):
        api.plant(SHAPE._replace(num_tokens=20), prompts, branches)


def test_take_stays_within_the_row():
    x_bl = np.arange(6).reshape(2, 3)
    np.testing.assert_array_equal(trees.take(x_bl, np.array([[0, 7], [-4, 1]])), [[0, 2], [3, 4]])
