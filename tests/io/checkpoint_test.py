import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from procsup_jax.errors import UserError
from procsup_jax.io.checkpoint import Checkpoints
from procsup_jax.parallel import mesh as meshes
from procsup_jax.parallel import rules


def tree(scale):
    return {"a": jnp.arange(8.0).reshape(8, 1) * scale, "b": {"c": jnp.full(3, scale, jnp.bfloat16)}}


def test_everything_comes_back(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.latest_step() is None
        checkpoints.save(1, {"state": tree(1), "best": tree(2)}, {"loss": 0.1, "names": ["x"]})
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.latest_step() == 1
        shapes = jax.eval_shape(lambda: tree(0))
        found = checkpoints.restore({"state": shapes, "best": shapes})
    assert (found.step, found.info) == (1, {"loss": 0.1, "names": ["x"]})
    jax.tree.map(np.testing.assert_array_equal, found.trees, {"state": tree(1), "best": tree(2)})


def test_arrays_may_be_donated_and_the_two_newest_are_kept(tmp_path):
    double = jax.jit(lambda t: jax.tree.map(lambda x: x * 2, t), donate_argnums=0)
    now = tree(1)
    with Checkpoints(tmp_path) as checkpoints:
        for step in range(1, 4):
            checkpoints.save(step, {"state": now}, {"step": step})
            now = double(now)
        checkpoints.wait()
        assert sorted(p.name for p in tmp_path.iterdir() if p.is_dir()) == ["2", "3"]
        found = checkpoints.restore({"state": jax.eval_shape(lambda: tree(0))})
    jax.tree.map(np.testing.assert_array_equal, found.trees["state"], tree(4))


def test_arrays_come_back_into_the_shards_that_are_asked_for(tmp_path):
    if jax.device_count() < 8:
        pytest.skip("needs eight devices: XLA_FLAGS=--xla_force_host_platform_device_count=8")
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, {"state": {"a": tree(1)["a"]}}, {})
        checkpoints.wait()
        mesh = meshes.make_mesh(meshes.MeshSettings(data=4, fsdp=2))
        wanted = jax.ShapeDtypeStruct((8, 1), jnp.float32, sharding=rules.sharding(mesh, ("embed", None)))
        found = checkpoints.restore({"state": {"a": wanted}}).trees["state"]["a"]
    assert found.sharding == wanted.sharding
    np.testing.assert_array_equal(found, tree(1)["a"])


def test_what_a_kill_left_half_written_is_no_checkpoint(tmp_path):
    shapes = {"state": jax.eval_shape(lambda: tree(0))}
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(2, {"state": tree(1)}, {})
    half = tmp_path / "5.orbax-checkpoint-tmp"
    shutil.copytree(tmp_path / "2", half)
    shutil.rmtree(half / "state")
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.latest_step() == 2
        jax.tree.map(np.testing.assert_array_equal, checkpoints.restore(shapes).trees["state"], tree(1))
        checkpoints.save(5, {"state": tree(3)}, {})
        checkpoints.wait()
        jax.tree.map(np.testing.assert_array_equal, checkpoints.restore(shapes).trees["state"], tree(3))
    assert not half.exists()


def test_a_file_in_the_way_is_one_clear_line(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*choose another name"):
        Checkpoints(tmp_path / "a")
