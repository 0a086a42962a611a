import jax
import numpy as np
import pytest

from procsup_jax.errors import UserError
from procsup_jax.io.checkpoint import KEPT, Damaged
from procsup_jax.training.best import Best


@pytest.fixture
def best(tmp_path):
    return Best(tmp_path)


def scaled(params, factor):
    return jax.tree.map(lambda array: array * factor, params)


def assert_equal(tree, other):
    jax.tree.map(np.testing.assert_array_equal, tree, other)


def damage(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_what_was_kept_comes_back(best, params, tmp_path):
    best.keep(3, scaled(params, 2))
    assert_equal(best.load(3, params), scaled(params, 2))
    again = Best(tmp_path)
    again.check(3, best.digest)
    assert_equal(again.load(3, params), scaled(params, 2))


def test_without_a_folder_it_stays_in_memory(params):
    best = Best(None)
    best.keep(3, scaled(params, 2))
    best.saved(3)
    assert best.digest == ""
    assert_equal(best.load(3, params), scaled(params, 2))


def test_damage_is_found_when_a_checkpoint_is_taken_up(best, params, tmp_path):
    best.keep(3, params)
    damage(tmp_path / "3.safetensors")
    with pytest.raises(Damaged, match="3.safetensors holds other parameters"):
        Best(tmp_path).check(3, best.digest)
    (tmp_path / "3.safetensors").unlink()
    with pytest.raises(Damaged, match="no such file"):
        Best(tmp_path).check(3, best.digest)


def test_damage_is_found_at_the_end(best, params, tmp_path):
    best.keep(3, params)
    damage(tmp_path / "3.safetensors")
    with pytest.raises(UserError, match="3.safetensors is damaged: .*run the same command again"):
        best.load(3, params)


def test_what_a_checkpoint_may_refer_to_stays(best, params, tmp_path):
    for step in range(1, 6):
        best.keep(step, params)
        best.saved(step)
        kept = {int(path.stem) for path in tmp_path.iterdir()}
        assert kept == set(range(max(1, step - KEPT), step + 1))
    again = Best(tmp_path)  # which of these its checkpoints refer to, it cannot know
    again.keep(6, params)
    again.saved(6)
    assert {int(path.stem) for path in tmp_path.iterdir()} == {3, 4, 5, 6}
