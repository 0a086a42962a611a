import jax
import jax.numpy as jnp
import pytest
from jax.sharding import PartitionSpec

from procsup_jax.parallel import rules
from procsup_jax.parallel.mesh import make_mesh
from procsup_jax.parallel.settings import AXES, MeshSettings


def test_every_rule_names_mesh_axes() -> None:
    assert {axis for axes in rules.RULES.values() for axis in axes} <= set(AXES)


def test_sharding_follows_the_table() -> None:
    mesh = make_mesh(MeshSettings(data=2, fsdp=2, tensor=2))
    assert rules.sharding(mesh, ("layers", "embed", "ff")).spec == PartitionSpec(None, "fsdp", "tensor")
    assert rules.sharding(mesh, ("batch", None)).spec == PartitionSpec(("data", "fsdp"), None)


def test_a_dimension_that_does_not_divide_stays_whole() -> None:
    mesh = make_mesh(MeshSettings(data=2, fsdp=2, tensor=2))
    spec = rules.sharding(mesh, ("batch", "ff"), (6, 10)).spec
    assert spec == PartitionSpec(None, "tensor")


def test_an_unknown_logical_axis_is_an_error() -> None:
    mesh = make_mesh(MeshSettings())
    with pytest.raises(KeyError, match="heds"):
        rules.sharding(mesh, ("heds",))


def test_tree_sharding_keeps_the_tree() -> None:
    mesh = make_mesh(MeshSettings(fsdp=4, tensor=2))
    axes = {"a": ("embed", "ff"), "b": {"c": ("act_embed",)}}
    shapes = {"a": jax.ShapeDtypeStruct((8, 3), jnp.float32), "b": {"c": jax.ShapeDtypeStruct((8,), jnp.float32)}}
    assert rules.tree_sharding(mesh, axes)["a"].spec == PartitionSpec("fsdp", "tensor")
    sharded = rules.tree_sharding(mesh, axes, shapes)
    assert sharded["a"].spec == PartitionSpec(("fsdp", "tensor"), None)  # 3 does not divide: embed takes its axis too
    assert sharded["b"]["c"].spec == PartitionSpec(None)


def test_constrain_is_nothing_without_a_mesh_and_pins_with_one() -> None:
    @jax.jit
    def double(x_bd: jax.Array) -> jax.Array:
        return rules.constrain(x_bd * 2, ("batch", "act_embed"))

    x_bd = jnp.arange(32.0).reshape(8, 4)
    with rules.use(None):
        assert len(double(x_bd).sharding.device_set) == 1
    for settings in (MeshSettings(data=4), MeshSettings(data=2, fsdp=4)):
        mesh = make_mesh(settings)
        with rules.use(mesh):
            out_bd = double(x_bd)
        assert out_bd.sharding.is_equivalent_to(rules.sharding(mesh, ("batch", "act_embed")), 2)
        assert (out_bd == x_bd * 2).all()
