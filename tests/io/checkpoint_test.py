import asyncio
import errno
import gc
import random
import shutil
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest

from procsup_jax.errors import UserError
from procsup_jax.io.checkpoint import Checkpoints, Damaged
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


SHAPES = {"state": jax.eval_shape(lambda: tree(0))}


def flip(path, chance):
    content = bytearray(path.read_bytes())
    bit = chance.randrange(8 * len(content))
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def cut(path, chance):
    path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)])


def delete(path, chance):
    path.unlink()


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Return a folder with the checkpoints of steps 1 and 2."""
    folder = tmp_path_factory.mktemp("two")
    with Checkpoints(folder) as checkpoints:
        for step in (1, 2):
            checkpoints.save(step, {"state": tree(step)}, {"loss": step + 0.1})
            checkpoints.wait()
    return folder


@pytest.mark.parametrize("damage", [flip, cut, delete])
def test_a_damaged_file_never_changes_a_number(two, tmp_path, capfd, damage):
    chance = random.Random(0)
    paths = [path.relative_to(two) for path in sorted(two.rglob("2/**/*")) if path.is_file()]
    assert len(paths) > 5
    fallen_back = 0
    for i, path in enumerate(paths):
        folder = tmp_path / str(i) / "checkpoints"
        shutil.copytree(two, folder)
        damage(folder / path, chance)
        with Checkpoints(folder) as checkpoints:
            found = checkpoints.restore(SHAPES)
            assert checkpoints.restore(SHAPES).step == found.step  # and stumbles over it no more
        jax.tree.map(np.testing.assert_array_equal, found.trees["state"], tree(found.step))
        assert found.info == {"loss": found.step + 0.1}
        err = capfd.readouterr().err
        if found.step == 2:
            assert err == ""  # orbax does without that file
            continue
        fallen_back += 1
        assert err.startswith(f"procsup: warning: checkpoint {folder / '2'} is damaged (") and err.count("\n") == 1
        assert err.endswith(f"set aside as {tmp_path / str(i) / 'damaged' / '2'}, going back to step 1\n")
        assert (tmp_path / str(i) / "damaged" / "2").is_dir()
    assert fallen_back > 3


def test_without_a_whole_checkpoint_there_is_none(two, tmp_path, capsys):
    folder = tmp_path / "checkpoints"
    shutil.copytree(two, folder)
    for step in (1, 2):
        (folder / str(step) / "record" / "metadata").write_text("{}")
    with Checkpoints(folder) as checkpoints:
        assert checkpoints.restore(SHAPES) is None
        assert checkpoints.latest_step() is None
        first, second = capsys.readouterr().err.splitlines()
        assert first.endswith("going back to step 1") and second.endswith("this training starts anew")
        checkpoints.save(1, {"state": tree(3)}, {})
        checkpoints.wait()
        jax.tree.map(np.testing.assert_array_equal, checkpoints.restore(SHAPES).trees["state"], tree(3))


def test_what_a_checkpoint_refers_to_may_be_damaged_too(two, tmp_path, capsys):
    shutil.copytree(two, tmp_path / "checkpoints")

    def check(info):
        if info["loss"] > 2:
            raise Damaged("best/2 is gone")

    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        assert checkpoints.restore(SHAPES, check).step == 1
    assert "is damaged (best/2 is gone)" in capsys.readouterr().err


def test_a_refusal_is_no_damage(two):
    def check(info):
        raise UserError("of another fit")

    with Checkpoints(two) as checkpoints, pytest.raises(UserError, match="of another fit"):
        checkpoints.restore(SHAPES, check)
    assert (two / "2").is_dir()


def test_what_passes_is_no_damage(two, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError(errno.EMFILE, "Too many open files")

    with Checkpoints(two) as checkpoints:
        monkeypatch.setattr(checkpoints._manager, "restore", fail)
        with pytest.raises(UserError, match=r"cannot read checkpoint .*2: .*Too many open files"):
            checkpoints.restore(SHAPES)
    assert (two / "2").is_dir()


def test_a_checkpoint_from_before_there_were_digests_is_read(tmp_path):
    with ocp.CheckpointManager(tmp_path / "old") as manager:
        items = ocp.args.Composite(state=ocp.args.StandardSave(tree(1)), info=ocp.args.JsonSave({"loss": 0.5}))
        manager.save(7, args=items)
    with Checkpoints(tmp_path / "old") as checkpoints:
        found = checkpoints.restore(SHAPES)
    assert (found.step, found.info) == (7, {"loss": 0.5})
    jax.tree.map(np.testing.assert_array_equal, found.trees["state"], tree(1))


def test_a_dangling_link_is_named(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "absent")
    with pytest.raises(UserError, match=r"link is a link to .*absent, which is absent"):
        Checkpoints(tmp_path / "link")


FULL = """
import pathlib, sys
import jax
from procsup_jax.errors import UserError
from procsup_jax.io.checkpoint import Checkpoints

folder, line = pathlib.Path(sys.argv[1]), ""
state = {"a": jax.random.normal(jax.random.key(0), (150_000,))}
try:
    with Checkpoints(folder / "checkpoints") as checkpoints:
        for step in range(1, 9):
            checkpoints.save(step, {"state": state}, {"step": step})
            if step == 3:
                checkpoints.wait()
                (folder / "other").write_bytes(bytes(1_700_000))
except UserError as error:
    line = str(error)
(folder / "other").unlink()
with Checkpoints(folder / "checkpoints") as checkpoints:
    found = checkpoints.restore({"state": jax.eval_shape(lambda: state)})
    assert (found.trees["state"]["a"] == state["a"]).all()
    print(line, found.step, *(path.name for path in sorted((folder / "checkpoints").iterdir())))
"""


def test_a_full_disk_is_one_line_and_costs_no_checkpoint(on_a_small_disk, tmp_path):
    ended = on_a_small_disk("3m", FULL)
    assert ended.stderr == ""
    assert ended.stdout == (
        f"cannot write {tmp_path / 'checkpoints'}: the disk is full; free some space or choose another folder, "
        "then run the same command again 3 2 3\n"
    )


def test_what_is_said_of_a_closed_event_loop_stays_away_and_nothing_else_does(tmp_path, monkeypatch):
    heard = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: heard.append(str(unraisable.exc_value)))
    for name in "ab":
        with Checkpoints(tmp_path / name):
            pass
    for said in ("Event loop is closed", "something else"):
        sys.unraisablehook(types.SimpleNamespace(exc_value=RuntimeError(said)))
    assert heard == ["something else"]


def test_what_nobody_asks_for_stays_away_and_nothing_else_does(tmp_path, caplog):
    async def orbax_write():
        raise ValueError("No space left on device")

    async def another():
        raise ValueError("something else")

    names = {}
    exec(compile("def write(): raise OSError(28, 'No space left on device')", "/lib/orbax/file.py", "exec"), names)

    async def all_of_them():
        loop = asyncio.get_running_loop()
        for each in (orbax_write, another):
            loop.create_task(each())
        futures = [loop.run_in_executor(None, names["write"]) for _ in range(3)]
        gathered = asyncio.gather(*futures[1:])
        await asyncio.wait(futures)
        await asyncio.sleep(0)
        del futures, gathered

    with Checkpoints(tmp_path / "a"):
        pass
    asyncio.run(all_of_them())
    gc.collect()
    assert [record.message.count("another") for record in caplog.records] == [1]
