import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procsup_jax.models import cross_entropy as module
from procsup_jax.models.cross_entropy import cross_entropy
from procsup_jax.models.layers import logits
from procsup_jax.parallel import mesh as meshes
from procsup_jax.parallel import rules


def plain(hidden_bld, table_vd, targets_bl):
    """Return what `cross_entropy` does from all logits at once."""
    logits_blv = logits(hidden_bld, table_vd)
    nats_bl = -jnp.take_along_axis(jax.nn.log_softmax(logits_blv), targets_bl[..., None], -1)[..., 0]
    return nats_bl, logits_blv.argmax(-1) == targets_bl


def draw(b=4, length=6, d=16, v=50, dtype=np.float32):
    rng = np.random.default_rng(0)
    hidden_bld, table_vd = rng.standard_normal((b, length, d)), rng.standard_normal((v, d))
    return hidden_bld.astype(dtype), table_vd.astype(dtype), rng.integers(0, v, (b, length))


@functools.partial(jax.jit, static_argnums=(0, 5))
def with_grads(how, hidden_bld, table_vd, targets_bl, weights_bl, rows=None):
    def total(hidden_bld, table_vd):
        more = () if how is plain else (rows,)
        nats_bl, right_bl = how(hidden_bld, table_vd, targets_bl, *more)
        return (nats_bl * weights_bl).sum(), (nats_bl, right_bl)

    return jax.grad(total, (0, 1), has_aux=True)(hidden_bld, table_vd)


def weights_like(targets_bl):
    """Return weights of which a third are 0, as a prompt's and padding's are."""
    weights_bl = np.random.default_rng(1).random(targets_bl.shape, np.float32)
    return np.where(weights_bl < 1 / 3, 0, weights_bl)


def assert_equal(got, want, rtol=1e-5, atol=1e-5):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=atol), got, want)


@settings(max_examples=12)
@given(
    b=st.integers(1, 3), length=st.integers(1, 5), d=st.sampled_from([1, 8]), v=st.integers(1, 40),
    rows=st.integers(1, 50),
)  # fmt: skip
def test_it_equals_the_cross_entropy_of_all_logits_and_its_gradient(b, length, d, v, rows) -> None:
    arrays = draw(b, length, d, v)
    weights_bl = weights_like(arrays[2])
    assert_equal(with_grads(cross_entropy, *arrays, weights_bl, rows), with_grads(plain, *arrays, weights_bl))


@pytest.mark.parametrize("shape", [(8, 1, 1), (1, 8, 1), (2, 2, 2), (1, 1, 8)])
@pytest.mark.parametrize("v", [48, 50])
def test_a_mesh_changes_nothing_and_gathers_no_logits(shape, v) -> None:
    if jax.device_count() < 8:
        pytest.skip("needs eight devices: XLA_FLAGS=--xla_force_host_platform_device_count=8")
    arrays = draw(8, 6, 16, v)
    weights_bl, mesh = weights_like(arrays[2]), meshes.make_mesh(meshes.MeshSettings(*shape))
    axes = (("batch", "length", "act_embed"), ("vocab", "embed"), ("batch", "length"), ("batch", "length"))
    placed = [
        jax.device_put(a, rules.sharding(mesh, each, a.shape))
        for a, each in zip((*arrays, weights_bl), axes, strict=True)
    ]
    with rules.use(mesh):
        compiled = with_grads.lower(cross_entropy, *placed, 5).compile()
        got = compiled(*placed)
    assert_equal(got, with_grads(plain, *arrays, weights_bl))
    # Only the table's rows are gathered, a piece at a time: [devices' rows, rows, width].
    gathered = [
        line.split("=")[1].split("{")[0].strip() for line in compiled.as_text().splitlines() if " all-gather(" in line
    ]
    tensor = shape[2] if v % shape[2] == 0 else 1
    local = v // tensor
    assert set(gathered) <= {f"f32[1,{rows},16]" for rows in (min(5, local), local % 5)}, gathered


def test_more_tokens_need_no_more_memory_for_logits() -> None:
    def temporaries(how, length):
        shapes = [((8, length, 8), jnp.float32), ((2**15, 8), jnp.float32), ((8, length), jnp.int32)]
        arrays = [jax.ShapeDtypeStruct(*each) for each in (*shapes, ((8, length), jnp.float32))]
        return with_grads.lower(how, *arrays).compile().memory_analysis().temp_size_in_bytes

    short, long = 512, 2048
    assert temporaries(plain, long) >= 4 * 8 * long * 2**15
    assert temporaries(cross_entropy, long) < 4 * 4 * module.MAX_PIECE < 4 * 8 * long * 2**15
    assert temporaries(cross_entropy, long) < 1.5 * temporaries(cross_entropy, short)


@pytest.mark.parametrize(
    ("b", "v", "rows"), [(1, 256_000, 32_000), (16, 256_000, 2048), (64, 100, 128), (512, 9**6, 512)]
)
def test_pieces_are_about_equal_and_never_too_small(b, v, rows) -> None:
    hidden = jax.ShapeDtypeStruct((b, 1024, 8), jnp.float32)
    assert module._rows_at_a_time(hidden, jax.ShapeDtypeStruct((1, v, 8), jnp.float32)) == rows


def test_in_bfloat16_logits_and_sums_are_float32() -> None:
    hidden_bld, table_vd, targets_bl = draw(dtype=jnp.bfloat16)
    weights_bl = weights_like(targets_bl)
    grads, (nats_bl, _) = with_grads(cross_entropy, hidden_bld, table_vd, targets_bl, weights_bl, 7)
    assert nats_bl.dtype == jnp.float32
    assert [grad.dtype for grad in grads] == [jnp.bfloat16] * 2
    wide = [part.astype(np.float32) for part in (hidden_bld, table_vd)]
    exact, (exact_bl, _) = with_grads(plain, *wide, targets_bl, weights_bl)
    np.testing.assert_allclose(nats_bl, exact_bl, rtol=1e-5, atol=1e-5)
    assert_equal(tuple(grad.astype(np.float32) for grad in grads), exact, rtol=0.02, atol=0.02)


def test_large_logits_do_not_overflow() -> None:
    table_vd = jnp.array([[1e4], [-1e4], [0.0]])
    grads, (nats_bl, right_bl) = with_grads(
        cross_entropy, jnp.ones((1, 1, 1)), table_vd, jnp.array([[1]]), jnp.ones((1, 1)), 1
    )
    assert (float(nats_bl[0, 0]), bool(right_bl[0, 0])) == (2e4, False)
    np.testing.assert_allclose(grads[1], [[1], [-1], [0]])
