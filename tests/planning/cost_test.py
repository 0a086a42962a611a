"""What a compiled program does, counted from its text: products, loops, collectives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from procsup_jax.parallel import mesh as meshes
from procsup_jax.planning import cost, hlo


def spent(fn, *args):
    return cost.cost_of(hlo.parse(jax.jit(fn).lower(*args).compile().as_text()))


def test_a_loops_body_counts_as_often_as_it_runs():
    x, w = jnp.ones((8, 16)), jnp.ones((5, 16, 16))
    one = spent(lambda x, w: x @ w[0], x, w)
    assert one.flops == 2 * 8 * 16 * 16
    found = spent(lambda x, w: jax.lax.scan(lambda x, w: (jnp.sin(x @ w), None), x, w)[0], x, w)
    assert found.flops == 5 * one.flops and not found.unknown_loops
    nested = spent(lambda x, w: jax.lax.fori_loop(0, 3, lambda _, x: jax.lax.scan(
        lambda x, w: (jnp.sin(x @ w), None), x, w)[0], x), x, w)  # fmt: skip
    assert nested.flops == 15 * one.flops


def test_a_loop_that_only_data_end_counts_once_and_is_told():
    def body(x):
        return jnp.sin(x @ x)

    found = spent(lambda x: jax.lax.while_loop(lambda x: x[0, 0] < 1, body, x), jnp.zeros((4, 4)))
    assert (found.flops, found.unknown_loops) == (2 * 4**3, 1)


def test_a_round_leaves_out_what_is_done_once():
    def fn(x):
        x = jnp.cos(x @ x)
        x = jax.lax.while_loop(lambda x: x[0, 0] < 1, lambda x: jnp.sin(x @ x @ x), x)
        return jax.lax.fori_loop(0, 3, lambda _, x: jnp.tanh(x @ x), x)

    module = hlo.parse(jax.jit(fn).lower(jnp.zeros((4, 4))).compile().as_text())
    assert cost.rounds_of(module).flops == 2 * 2 * 4**3
    assert cost.cost_of(module).flops == (1 + 2 + 3) * 2 * 4**3


def test_batched_products_count_whole():
    found = spent(lambda a, b: jnp.einsum("bij,bjk->bik", a, b), jnp.ones((7, 3, 5)), jnp.ones((7, 5, 2)))
    assert found.flops == 2 * 7 * 3 * 5 * 2


def test_reading_a_layer_of_stacked_ones_moves_that_layer():
    x, w = jnp.ones((8, 16)), jnp.ones((50, 16, 16))
    found = spent(lambda x, w: jax.lax.scan(lambda x, w: (jnp.sin(x @ w), None), x, w)[0], x, w)
    assert w.nbytes <= found.moved < 10 * w.nbytes, "not 50 times all of them"


@pytest.mark.parametrize(
    ("groups", "members"),
    [("replica_groups={{0,1},{2,3}}", 2), ("replica_groups=[2,4]<=[8]", 4), ("replica_groups={{0}}", 1),
     ("replica_groups=mesh['a'=2,'b'=8] {'b'}", 8), ("replica_groups=mesh['a'=2,'b'=8] {'a','b'}", 16)],
)  # fmt: skip
def test_groups_are_read_in_every_notation(groups, members):
    assert cost._members(f", channel_id=1, {groups}, use_global_device_ids=true") == members


def test_a_sum_over_devices_sends_what_a_ring_does():
    if jax.device_count() < 8:
        pytest.skip("needs eight devices: XLA_FLAGS=--xla_force_host_platform_device_count=8")
    mesh = meshes.make_mesh(meshes.MeshSettings(tensor=8))
    cut = lambda *axes: NamedSharding(mesh, PartitionSpec(*axes))  # noqa: E731
    x, w = jax.device_put(jnp.ones((4, 16)), cut(None, "tensor")), jax.device_put(jnp.ones((16, 6)), cut("tensor"))
    text = jax.jit(lambda x, w: x @ w, out_shardings=cut()).lower(x, w).compile().as_text()
    found = cost.cost_of(hlo.parse(text))
    assert dict(found.calls) == {"all-reduce": 1}
    assert found.sent["all-reduce"] == pytest.approx(2 * 4 * 6 * 4 * 7 / 8)
    assert found.flops == 2 * 4 * 2 * 6, "a device's own part"


def test_products_that_are_written_as_convolutions_count_like_products():
    """TPUs' programs have these: a batch is a dimension of the window, of which one position is no padding."""
    line = (
        "%convolution.1 = f32[4,8,16]{2,1,0} convolution(%a, %b), window={size=4 stride=3 lhs_dilate=4}, "
        "dim_labels=0bf_0io->0bf"
    )
    found = hlo._instruction(*hlo._INSTRUCTION.match(f"  {line}").groups())
    operands = [hlo.Shape("f32", (4, 8, 32)), hlo.Shape("f32", (4, 32, 16))]
    assert cost._convolution_flops(found, operands) == 2 * 4 * 8 * 32 * 16
    plain = "%c = f32[8,16]{1,0} convolution(%a, %b), dim_labels=bf_io->bf"
    found = hlo._instruction(*hlo._INSTRUCTION.match(f"  {plain}").groups())
    assert cost._convolution_flops(found, [hlo.Shape("f32", (8, 32)), hlo.Shape("f32", (32, 16))]) == 2 * 8 * 32 * 16


def test_what_lies_in_a_cores_own_memory_moves_nothing():
    text = """ENTRY %main (p: f32[8]) -> f32[8] {
  %p = f32[8]{0} parameter(0)
  %c = f32[8]{0:S(1)} copy(%p)
  ROOT %n = f32[8]{0} negate(%c)
}
"""
    assert cost.cost_of(hlo.parse(text)).moved == 8 * 4 + 8 * 4
    assert np.isclose(cost.cost_of(hlo.parse(text)).flops, 0)


@pytest.mark.parametrize(
    ("started", "moved"),
    [
        ("((f32[8,32]), f32[8,4]{1,0:S(1)}, s32[]) slice-start(%p), slice={[0:8], [0:4]}", 8 * 4 * 4),
        ("(f32[8,32]{1,0:S(1)}, f32[8,32], u32[]) copy-start(%p)", 8 * 32 * 4),
        ("(f32[8,32], f32[16,32]) all-gather-start(%p), replica_groups={{0,1}}, dimensions={0}", 3 * 8 * 32 * 4),
        ("f32[8,32] all-reduce-start(%p), replica_groups={{0,1}}", 2 * 8 * 32 * 4),
    ],
)
def test_what_is_only_started_moves_what_it_reads_and_what_it_makes(started, moved):
    """Into a core's own memory a part of a matrix comes by itself; the whole of it only stands in the shape."""
    text = f"ENTRY %main (p: f32[8,32]) -> f32[8,32] {{\n  %p = f32[8,32]{{1,0}} parameter(0)\n  %s = {started}\n}}\n"
    assert cost.cost_of(hlo.parse(text)).moved == moved


@pytest.mark.parametrize(("name", "products"), [("fwd_segmented_no_residuals", 2), ("dq_segmented", 3), ("dkv", 4)])
def test_attention_kernels_count_the_pairs_that_see_each_other(name, products):
    text = f"""ENTRY %main (i: s8[1,3,5], q: bf16[4,8,2,384,64], k: bf16[4,8,1280,64]) -> bf16[4,8,2,384,64] {{
  %i = s8[1,3,5]{{2,1,0}} parameter(0)
  %q = bf16[4,8,2,384,64]{{4,3,2,1,0}} parameter(1)
  %k = bf16[4,8,1280,64]{{3,2,1,0}} parameter(2)
  ROOT %splash_mqa_{name}.2 = bf16[4,8,2,384,64] custom-call(%i, %q, %k, %k), custom_call_target="tpu_custom_call"
}}
"""
    pairs = sum(1280 - 384 + 1 + i for i in range(384))
    assert cost.cost_of(hlo.parse(text)).flops == 2 * products * 64 * 4 * 8 * 2 * pairs
    one = text.replace("4,8,2,384,64]{4,3,2,1,0}", "384,64]{1,0}").replace("4,8,1280,64]{3,2,1,0}", "1280,64]{1,0}")
    assert cost.cost_of(hlo.parse(one)).flops == 2 * products * 64 * pairs, "one row and head have no axes"
