import contextlib
import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.pallas import tpu as pltpu

from procsup_jax.errors import UserError
from procsup_jax.models import api, kernels
from procsup_jax.models.attention import packed_attention
from procsup_jax.parallel import mesh as meshes
from procsup_jax.parallel import rules

# Each as it runs without its hardware: Pallas interprets its kernels, cuDNN's arguments go to XLA's own attention.
WITHOUT_HARDWARE = {
    "splash": functools.partial(kernels.splash, interpret=True),
    "flash": kernels.flash,  # within `force_tpu_interpret_mode`
    "cudnn": functools.partial(kernels.cudnn, implementation="xla"),
}


def draw(length, m, e=8, r=1, k=2, g=2, dtype=np.float32):
    rng = np.random.default_rng(0)
    q = rng.standard_normal((r, k, g, length, e)).astype(dtype)
    keys, values = rng.standard_normal((2, r, k, m, e)).astype(dtype)
    return q, keys, values, np.sort(rng.integers(0, 4, (r, m)), axis=1).astype(np.int32)


def value_and_grads(fn, q, k, v, segments):
    weights = np.random.default_rng(1).standard_normal(q.shape, np.float32)

    def total(q, k, v):
        out = fn(q, k, v, segments)
        return (out * weights).sum(), out

    return jax.jit(jax.value_and_grad(total, (0, 1, 2), has_aux=True))(q, k, v)


# A tree's branches, which are the last of more keys, under grouped heads; packed rows of more than one block.
@pytest.mark.parametrize(
    ("name", "length", "m", "k", "g"),
    [(name, 9, 20, 2, 2) for name in WITHOUT_HARDWARE] + [("splash", 130, 130, 1, 1), ("cudnn", 130, 130, 1, 1)],
)
def test_every_kernel_equals_the_plain_attention_forward_and_backward(name, length, m, k, g, monkeypatch) -> None:
    monkeypatch.setattr(kernels, "BLOCKS", (128,))
    arrays = draw(length, m, k=k, g=g)
    with pltpu.force_tpu_interpret_mode() if name == "flash" else contextlib.nullcontext():
        got = value_and_grads(WITHOUT_HARDWARE[name], *arrays)
    want = value_and_grads(packed_attention, *arrays)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5, rtol=1e-5), got, want)


def test_on_a_mesh_each_device_attends_in_its_own_rows_and_heads() -> None:
    if jax.device_count() < 8:
        pytest.skip("needs eight devices: XLA_FLAGS=--xla_force_host_platform_device_count=8")
    arrays, mesh = draw(5, 5, r=4), meshes.make_mesh(meshes.MeshSettings(2, 2, 2))
    seen = []

    def kernel(q, k, v, segments):
        seen.append((q.shape, k.shape, segments.shape))
        return kernels.splash(q, k, v, segments, interpret=True)

    with rules.use(mesh):
        out, grads = value_and_grads(functools.partial(kernels.per_device, kernel), *arrays)
    assert set(seen) == {((1, 1, 2, 5, 8), (1, 1, 5, 8), (1, 5))}
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5, rtol=1e-5),
        (out, grads), value_and_grads(packed_attention, *arrays),
    )  # fmt: skip


def test_rows_and_heads_that_do_not_divide_stay_whole() -> None:
    if jax.device_count() < 8:
        pytest.skip("needs eight devices: XLA_FLAGS=--xla_force_host_platform_device_count=8")
    arrays, mesh = draw(5, 5, r=3, k=1), meshes.make_mesh(meshes.MeshSettings(2, 2, 2))
    with rules.use(mesh):
        got = jax.jit(functools.partial(kernels.per_device, packed_attention))(*arrays)
    np.testing.assert_allclose(got, jax.jit(packed_attention)(*arrays), atol=1e-6)


CHOICES = [
    ("cpu", jnp.float32, 64, 512, "plain"),
    ("cpu", jnp.bfloat16, 64, 512, "plain"),
    ("tpu", jnp.bfloat16, 64, 512, "splash"),
    ("tpu", jnp.float32, 80, 100, "splash"),
    ("tpu", jnp.bfloat16, 128, 2**18, "flash"),
    ("tpu", jnp.bfloat16, 192, 2**18, "plain"),
    ("gpu", jnp.bfloat16, 128, 512, "cudnn"),
    ("gpu", jnp.bfloat16, 256, 512, "plain"),
    ("gpu", jnp.bfloat16, 12, 512, "plain"),
    ("gpu", jnp.float32, 64, 512, "plain"),
]


@pytest.mark.parametrize(("on", "dtype", "e", "length", "name"), CHOICES)
def test_auto_takes_the_best_kernel_that_can_do_it(on, dtype, e, length, name) -> None:
    q, k = (jax.ShapeDtypeStruct(shape, dtype) for shape in ((1, 2, 2, length, e), (1, 2, length, e)))
    assert kernels.choose("auto", on, q, k) == name


def test_a_named_kernel_that_cannot_do_it_is_one_clear_line() -> None:
    q, k = jax.ShapeDtypeStruct((1, 2, 2, 8, 12), jnp.float32), jax.ShapeDtypeStruct((1, 2, 8, 12), jnp.float32)
    for name, on, expected in (
        ("splash", "cpu", "model attention='splash': it is for TPUs, and this runs on a CPU; use 'auto' or 'plain'"),
        ("cudnn", "tpu", "model attention='cudnn': it is for GPUs, and this runs on a TPU; use 'auto' or 'plain'"),
        ("cudnn", "gpu", "model attention='cudnn': dtype=float32, expected bfloat16; use 'auto' or 'plain'"),
    ):
        with pytest.raises(UserError) as raised:
            kernels.choose(name, on, q, k)
        assert str(raised.value) == expected
    assert kernels.choose("plain", "tpu", q, k) == "plain"


def test_a_model_asks_for_its_kernel_and_is_described_without_it(config, tokens_bl) -> None:
    asking = dataclasses.replace(config, attention="splash")
    params = api.abstract_params(asking)
    assert params == api.abstract_params(config)
    positions = np.broadcast_to(np.arange(tokens_bl.shape[1]), tokens_bl.shape)
    with pytest.raises(UserError, match="model attention='splash': it is for TPUs, and this runs on a CPU"):
        jax.eval_shape(functools.partial(api.hidden, asking), params, tokens_bl, positions, np.ones_like(tokens_bl))


def on_a_tpu():
    """Return a mesh of TPUs that are not at hand."""
    device = jax.sharding.AbstractDevice(device_kind="TPU v5 lite", num_cores=1, platform="tpu")
    return jax.sharding.AbstractMesh(
        (2, 2, 2), ("data", "fsdp", "tensor"), (jax.sharding.AxisType.Auto,) * 3, abstract_device=device
    )


@pytest.mark.parametrize("remat", ["none", "full"])
def test_a_training_step_lowers_for_tpus_that_are_not_at_hand(config, remat) -> None:
    config = dataclasses.replace(config, dtype="bfloat16", remat=remat, num_heads=4, num_kv_heads=2, head_dim=64)

    def loss(params, ids_bl):
        return api.hidden(config, params, ids_bl, ids_bl, ids_bl).astype(jnp.float32).sum()

    ids_bl = jax.ShapeDtypeStruct((8, 256), jnp.int32)
    with jax.sharding.use_abstract_mesh(on_a_tpu()):
        traced = jax.jit(jax.grad(loss)).trace(api.abstract_params(config), ids_bl)
        text = traced.lower(lowering_platforms=("tpu",)).as_text()
    # The forward pass and both of the backward one's; with "full" the forward pass once more.
    assert text.count("@tpu_custom_call") == (3 if remat == "none" else 4)


@pytest.mark.parametrize("name", ["splash", "flash"])
@pytest.mark.parametrize(("length", "m", "e"), [(640, 640, 128), (200, 800, 32)])
def test_the_kernels_lower_for_tpus(name, length, m, e) -> None:
    shapes = [((1, 2, 4, length, e), jnp.bfloat16), *[((1, 2, m, e), jnp.bfloat16)] * 2, ((1, m), jnp.int32)]
    arrays = [jax.ShapeDtypeStruct(*each) for each in shapes]
    fn = getattr(kernels, name)
    grads = jax.grad(lambda *arrays: fn(*arrays).astype(jnp.float32).sum(), (0, 1, 2))
    assert jax.jit(grads).trace(*arrays).lower(lowering_platforms=("tpu",)).as_text().count("@tpu_custom_call") == 3


def test_cudnn_lowers_for_gpus(monkeypatch) -> None:
    # JAX asks for the version that is installed before it lowers.
    from jax._src.cudnn import fused_attention_stablehlo

    monkeypatch.setattr(fused_attention_stablehlo, "check_cudnn_version", lambda: 91000)
    arrays = [part.astype(jnp.bfloat16) if part.ndim > 2 else part for part in map(jnp.asarray, draw(21, 31))]
    grads = jax.grad(lambda *arrays: kernels.cudnn(*arrays).astype(jnp.float32).sum(), (0, 1, 2))
    text = jax.jit(grads).trace(*arrays).lower(lowering_platforms=("cuda",)).as_text()
    assert "__cudnn$fmhaScaleBiasSoftmax(" in text and "__cudnn$fmhaScaleBiasSoftmaxBackward(" in text


@pytest.mark.parametrize(("length", "block"), [(1, 128), (128, 128), (129, 256), (640, 128), (1000, 512), (4096, 512)])
def test_blocks_are_long_where_padding_to_them_adds_little(length, block) -> None:
    assert kernels.block_of(length) == block
