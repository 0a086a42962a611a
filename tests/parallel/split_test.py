"""Rows over the devices of the batch axes: what comes out, and what each device does for it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from procsup_jax.parallel import rules, split
from procsup_jax.parallel.mesh import make_mesh
from procsup_jax.parallel.settings import MeshSettings
from procsup_jax.planning import cost, hlo

MESHES = [MeshSettings(data=8), MeshSettings(fsdp=8), MeshSettings(data=2, fsdp=2, tensor=2), MeshSettings(tensor=8)]


def read(weights, rows):
    return {"seen": rows[0] @ weights, "len": rows[1] + 1}


def arguments(count):
    keys = jax.random.split(jax.random.key(count))
    rows = jax.random.normal(keys[0], (count, 16)), jnp.arange(count)
    return jax.random.normal(keys[1], (16, 32)), rows


@pytest.mark.parametrize("mesh", MESHES, ids=str)
@pytest.mark.parametrize("count", [1, 3, 8, 11])
def test_rows_are_read_as_by_one_device(mesh, count):
    if jax.device_count() < 8:
        pytest.skip("needs eight devices: XLA_FLAGS=--xla_force_host_platform_device_count=8")
    weights, rows = arguments(count)
    with rules.use(make_mesh(mesh)):
        found = jax.jit(lambda *args: split.over_rows(read, *args))(weights, rows)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), found, read(weights, rows))


@pytest.mark.parametrize(("count", "each"), [(1, 1), (3, 1), (8, 1), (11, 2)])
def test_no_device_reads_what_another_reads(count, each):
    if jax.device_count() < 8:
        pytest.skip("needs eight devices: XLA_FLAGS=--xla_force_host_platform_device_count=8")
    with rules.use(make_mesh(MeshSettings(fsdp=8))):
        lowered = jax.jit(lambda *args: split.over_rows(read, *args)).lower(*arguments(count))
    assert cost.cost_of(hlo.parse(lowered.compile().as_text())).flops == 2 * each * 16 * 32
