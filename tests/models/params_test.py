import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from procsup_jax.models import api


def test_param_dtype_is_what_parameters_are_kept_in(config):
    config = dataclasses.replace(config, param_dtype="bfloat16")
    params = api.init_params(config, jax.random.key(0), head=api.ClassifierHead(2))
    assert {a.dtype for a in jax.tree.leaves(params)} == {jnp.dtype("bfloat16")}


def test_a_head_changes_no_parameter_of_the_trunk(config):
    trunk = api.init_params(config, jax.random.key(0))
    for head in (api.ProductHead(), api.ClassifierHead(2, 2)):
        params = dict(api.init_params(config, jax.random.key(0), head=head))
        assert params.pop("head") is not None
        jax.tree.map(np.testing.assert_array_equal, params, trunk)


def test_a_head_is_added_once_and_taken_off_again(config, make_params):
    params = make_params(config)
    more = api.with_head(config, params, api.ProductHead())
    assert not more["head"].any()
    trained = {**more, "head": more["head"] + 1}
    assert api.with_head(config, trained, api.ProductHead()) is trained
    for none in (None, api.VerdictHead(1, 2)):
        assert api.with_head(config, trained, none).keys() == params.keys()
        assert api.with_head(config, params, none) is params


def test_a_head_of_another_kind_makes_way_for_a_fresh_one(config, make_params):
    one = api.with_head(config, make_params(config), api.ClassifierHead(), jax.random.key(4))
    two = api.with_head(config, one, api.ClassifierHead(1, 2), jax.random.key(4))
    assert two["head"]["out"]["kernel"].shape == (16, 2)
    again = api.with_head(config, make_params(config), api.ClassifierHead(1, 2), jax.random.key(4))
    jax.tree.map(np.testing.assert_array_equal, two, again)
    other = api.with_head(config, make_params(config), api.ClassifierHead(1, 2), jax.random.key(5))
    assert not np.allclose(two["head"]["out"]["kernel"], other["head"]["out"]["kernel"])


def test_a_wider_token_shift_says_the_same_until_it_is_trained(config, make_params, tokens_bl, run):
    params = api.with_head(config, make_params(config), api.ProductHead())
    wider, padded = api.with_shift_width(config, params, 5)
    assert padded["head"] is params["head"]
    np.testing.assert_array_equal(run(wider, padded, tokens_bl), run(config, params, tokens_bl))
    for back in range(config.shift_width, 5):  # each position mixed in now counts once its weights move
        trained = jax.tree_util.tree_map_with_path(
            lambda path, a, back=back: a.at[:, back].add(1) if "mix" in str(path[-1]) else a, padded
        )
        assert not np.allclose(run(wider, trained, tokens_bl), run(config, params, tokens_bl))


@pytest.mark.parametrize(("has", "width"), [(2, 1), (0, 3)])
def test_a_token_shift_that_is_not_there_gets_no_wider(config, make_params, has, width):
    config = dataclasses.replace(config, shift_width=has)
    with pytest.raises(ValueError, match=f"width={width}: expected at least"):
        api.with_shift_width(config, make_params(config), width)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_layers_are_unstacked_in_place_of_what_was_there(each_config, make_params, dtype):
    config = dataclasses.replace(each_config, dtype=dtype)
    head = api.ClassifierHead(2, 2)
    params = jax.tree.map(jnp.array, api.with_head(config, make_params(each_config), head))
    kept = api.unstack(config, params, donate=False)
    assert not any(array.is_deleted() for array in jax.tree.leaves(params))
    taken = api.unstack(config, params)
    jax.tree.map(np.testing.assert_array_equal, kept, taken)
    assert api.unstack(config, taken) is taken
    assert all(array.is_deleted() for array in jax.tree.leaves(params["layers"]))
    assert params["embedding"].is_deleted() == (dtype == "bfloat16")
    assert {a.dtype for a in jax.tree.leaves((taken.layers, taken.rest))} == {jnp.dtype(dtype)}


def test_texts_are_read_with_stacked_layers_and_others(reader, tokens_bl, read_whole):
    config, head, params = reader
    got = read_whole(config, head, api.unstack(config, params, donate=False), tokens_bl)
    np.testing.assert_allclose(got, read_whole(config, head, params, tokens_bl), rtol=1e-5, atol=1e-5)
