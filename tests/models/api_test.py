import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from procsup_jax.models import api


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


def test_remat_changes_nothing(config, make_params, tokens_bl) -> None:
    params = make_params(config)
    ones = np.ones_like(tokens_bl)
    positions = np.tile(np.arange(24), (3, 1))

    def loss_and_grads(remat: bool) -> tuple[jax.Array, api.Params]:
        changed = dataclasses.replace(config, remat=remat, dropout=0.3)

        def loss(params: api.Params) -> jax.Array:
            key = jax.random.key(4)
            hidden = api.hidden(changed, params, tokens_bl, positions, ones, dropout_key=key)
            return jax.nn.logsumexp(api.unembed(changed, params, hidden), axis=-1).mean()

        return jax.jit(jax.value_and_grad(loss))(params)

    got, want = loss_and_grads(True), loss_and_grads(False)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), got, want)
    assert all(np.abs(grad).max() > 0 for grad in jax.tree.leaves(want[1]))


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
