import dataclasses
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np

from procsup_jax.models import api
from procsup_jax.models.config import Remat


def test_packed_documents_equal_separate_ones(each_config, make_params, tokens_bl, run, hidden) -> None:
    params = make_params(each_config)
    lens = [9, 11, 1]  # the rest is padding
    pieces = [row[:n] for row, n in zip(tokens_bl, lens, strict=True)]
    tokens = np.concatenate([*pieces, [7, 7, 7]])
    positions = np.concatenate([*[np.arange(n) for n in lens], np.arange(3)])
    segments = np.repeat([1, 2, 3, 0], [*lens, 3])
    rows = (np.tile(a, (3, 1)) for a in (tokens, positions, segments))
    want = np.concatenate([row[:n] for row, n in zip(run(each_config, params, tokens_bl), lens, strict=True)])
    np.testing.assert_allclose(hidden(each_config, params, *rows)[0, : sum(lens)], want, atol=1e-5)


def test_padding_is_never_seen(config, make_params, tokens_bl, hidden) -> None:
    params = make_params(config)
    positions = np.tile(np.arange(24), (3, 1))
    segments = (positions < np.array([[9], [24], [1]])).astype(int)
    want = hidden(config, params, tokens_bl, positions, segments)
    rng = np.random.default_rng(0)
    for _ in range(3):
        changed = np.where(segments == 0, rng.integers(0, config.vocab_size, segments.shape), tokens_bl)
        got = hidden(config, params, changed, positions, segments)
        np.testing.assert_array_equal(got[segments == 1], want[segments == 1])


def test_padding_before_a_document_is_never_seen(config, make_params, tokens_bl, run, hidden) -> None:
    params = make_params(config)
    tokens = np.roll(tokens_bl, 5, axis=1)  # the last five tokens become padding at the front
    positions = np.tile(np.maximum(np.arange(24) - 5, 0), (3, 1))
    segments = np.tile(np.arange(24) >= 5, (3, 1))
    got = hidden(config, params, tokens, positions, segments)
    np.testing.assert_allclose(got[:, 5:], run(config, params, tokens_bl)[:, :-5], atol=1e-5)


def test_a_row_does_not_depend_on_its_batch(config, make_params, tokens_bl, run) -> None:
    params = make_params(config)
    want = run(config, params, tokens_bl)[1]
    np.testing.assert_array_equal(run(config, params, tokens_bl[[2, 1, 2]])[1], want)
    np.testing.assert_allclose(run(config, params, tokens_bl[1:2])[0], want, atol=1e-5)


def test_the_future_does_not_change_the_past(config, make_params, tokens_bl, run) -> None:
    params = make_params(config)
    want = run(config, params, tokens_bl)
    changed = tokens_bl.copy()
    changed[:, 10] = (changed[:, 10] + 1) % config.vocab_size
    got = run(config, params, changed)
    np.testing.assert_array_equal(got[:, :10], want[:, :10])
    assert (np.abs(got[:, 10:] - want[:, 10:]).max(-1) > 1e-4).all()


def test_bfloat16_compute_is_close_to_float32(config, make_params, tokens_bl, run) -> None:
    params = make_params(config)
    half = dataclasses.replace(config, dtype="bfloat16")
    exact, rough = run(config, params, tokens_bl), run(half, params, tokens_bl)
    assert rough.dtype == jnp.bfloat16
    assert api.unembed(half, params, rough).dtype == jnp.float32
    error = np.abs(rough.astype(np.float32) - exact)
    assert 0 < error.mean() < 0.05 * np.abs(exact).mean()


def test_dropout_follows_its_key_and_is_off_without_one(config, make_params, tokens_bl, run, hidden) -> None:
    params = make_params(config)
    dropped = dataclasses.replace(config, dropout=0.3)
    positions = np.tile(np.arange(24), (3, 1))

    def with_key(seed: int) -> np.ndarray:
        segments = np.ones_like(tokens_bl)
        return hidden(dropped, params, tokens_bl, positions, segments, dropout_key=jax.random.key(seed))

    np.testing.assert_array_equal(with_key(0), with_key(0))
    assert (with_key(0) != with_key(1)).mean() > 0.9
    np.testing.assert_array_equal(run(dropped, params, tokens_bl), run(config, params, tokens_bl))


def mean_loss(config: api.ModelConfig):
    def loss(params: api.Params, tokens_bl: jax.Array) -> jax.Array:
        positions = jnp.broadcast_to(jnp.arange(tokens_bl.shape[1]), tokens_bl.shape)
        key = jax.random.key(4)
        hidden = api.hidden(config, params, tokens_bl, positions, jnp.ones_like(tokens_bl), dropout_key=key)
        return jax.nn.logsumexp(api.unembed(config, params, hidden), axis=-1).mean()

    return loss


def test_no_remat_policy_changes_the_loss_or_its_gradient(config, make_params, tokens_bl) -> None:
    params = make_params(config)
    found = {}
    for policy in get_args(Remat):
        changed = dataclasses.replace(config, remat=policy, dropout=0.3)
        found[policy] = jax.jit(jax.value_and_grad(mean_loss(changed)))(params, tokens_bl)
    for policy in get_args(Remat):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), found[policy], found["none"])
    assert all(np.abs(grad).max() > 0 for grad in jax.tree.leaves(found["none"][1]))


def test_remat_policies_keep_less_of_a_deep_model(config) -> None:
    def kept(policy: Remat) -> int:
        deep = dataclasses.replace(config, remat=policy, num_layers=12)
        params, ids_bl = api.abstract_params(deep), jnp.ones((4, 256), jnp.int32)
        # What the function that a forward pass hands to its backward pass holds.
        backward = jax.eval_shape(lambda params: jax.vjp(lambda own: mean_loss(deep)(own, ids_bl), params)[1], params)
        return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(backward))

    found = {policy: kept(policy) for policy in get_args(Remat)}
    assert found["full"] < found["dots_no_batch"] < min(found["none"], found["dots"]), found
    # Each layer's input, and little else.
    assert found["full"] - 12 * 4 * 256 * config.d_model * 4 < found["dots_no_batch"] / 4


def test_initial_scales_follow_fan_in_and_depth() -> None:
    config = api.preset("1m", 64)
    params = api.init_params(config, jax.random.key(0))
    attention, mlp = params["layers"]["attention"], params["layers"]["mlp"]
    depth = (2 * config.num_layers) ** -0.5
    for kernel, want in [
        (attention["qkv"], config.d_model**-0.5),
        (attention["out"], depth * (config.num_heads * config.head_dim) ** -0.5),
        (mlp["gate"], config.d_model**-0.5),
        (mlp["down"], depth * config.d_ff**-0.5),
    ]:
        np.testing.assert_allclose(np.asarray(kernel).std(axis=(1, 2)).mean(), want, rtol=0.05)
    np.testing.assert_allclose(np.asarray(params["embedding"]).std(), config.d_model**-0.5, rtol=0.05)
    assert not np.allclose(attention["out"][0], attention["out"][1])
