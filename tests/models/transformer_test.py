"""The model gives the same numbers on one device and on eight, whatever the mesh."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from procsup_jax.models import api
from procsup_jax.parallel import rules
from procsup_jax.parallel.mesh import make_mesh
from procsup_jax.parallel.settings import MeshSettings

CONFIG = api.ModelConfig(
    vocab_size=48, num_layers=2, d_model=16, num_heads=4, num_kv_heads=2, head_dim=8, d_ff=24, shift_width=2,
    tied_embeddings=False,
)  # fmt: skip
MESHES = [
    MeshSettings(data=2, fsdp=2, tensor=2),
    MeshSettings(data=8),
    MeshSettings(fsdp=4, tensor=2),
    MeshSettings(tensor=8),  # does not divide the key-value heads: they stay whole
]


def loss(params: api.Params, tokens_bl: jax.Array) -> jax.Array:
    positions = jnp.broadcast_to(jnp.arange(tokens_bl.shape[1]), tokens_bl.shape)
    hidden = api.hidden(CONFIG, params, tokens_bl, positions, jnp.ones_like(tokens_bl))
    return jax.nn.logsumexp(api.unembed(CONFIG, params, hidden), axis=-1).mean()


value_and_grad = jax.jit(jax.value_and_grad(loss))


@pytest.mark.parametrize("settings", MESHES, ids=str)
def test_sharded_equals_unsharded_and_init_goes_straight_into_shards(settings: MeshSettings) -> None:
    mesh = make_mesh(settings)
    key = jax.random.key(0)
    whole, params = api.init_params(CONFIG, key), api.init_params(CONFIG, key, mesh)
    jax.tree.map(np.testing.assert_array_equal, params, whole)
    want = rules.tree_sharding(mesh, api.param_axes(CONFIG), api.abstract_params(CONFIG))
    jax.tree.map(lambda a, sharding: _assert_sharded(a, sharding), params, want)
    tokens = jax.random.randint(jax.random.key(1), (8, 12), 0, CONFIG.vocab_size)
    expected = value_and_grad(whole, tokens)
    with rules.use(mesh):
        got = value_and_grad(params, jax.device_put(tokens, rules.sharding(mesh, ("batch", "length"), tokens.shape)))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-6), got, expected)


def _assert_sharded(array: jax.Array, sharding: jax.sharding.NamedSharding) -> None:
    assert array.sharding.is_equivalent_to(sharding, array.ndim)
    assert array.addressable_shards[0].data.shape == sharding.shard_shape(array.shape)


def test_parameters_are_cut_along_heads_hidden_units_and_vocabulary() -> None:
    mesh = make_mesh(MeshSettings(data=2, fsdp=2, tensor=2))
    params = api.init_params(CONFIG, jax.random.key(0), mesh)
    for array, want in [
        (params["layers"]["attention"]["qkv"], (2, 8, 1, 4, 8)),
        (params["layers"]["attention"]["out"], (2, 16, 8)),
        (params["layers"]["mlp"]["gate"], (2, 8, 12)),
        (params["layers"]["mlp"]["down"], (2, 12, 8)),
        (params["unembedding"], (24, 8)),
    ]:
        assert array.addressable_shards[0].data.shape == want


@pytest.mark.parametrize("settings", MESHES[:2], ids=str)
def test_sharded_decoding_equals_unsharded(settings: MeshSettings) -> None:
    tokens = jax.random.randint(jax.random.key(1), (8, 12), 0, CONFIG.vocab_size)

    @jax.jit
    def decode(params: api.Params) -> jax.Array:
        dparams = api.unstack(CONFIG, params, donate=False)
        lens = jnp.arange(1, 9)
        _, prefix = api.prefill(CONFIG, dparams, tokens[:, :8], lens, capacity=12)
        suffix, outs = api.init_kv(CONFIG, 16, 70), []
        for step in (63, 64):  # the second one begins another block
            fed = jnp.broadcast_to(tokens[:, None, step - 63 : step - 62], (8, 2, 1))
            hidden, suffix = api.extend(CONFIG, dparams, fed, prefix, lens, suffix, jnp.full((8, 2), step))
            outs.append(hidden)
        return jnp.stack(outs)

    want = decode(api.init_params(CONFIG, jax.random.key(0)))
    mesh = make_mesh(settings)
    with rules.use(mesh):
        got = decode(api.init_params(CONFIG, jax.random.key(0), mesh))
    np.testing.assert_allclose(got, want, atol=1e-5)
