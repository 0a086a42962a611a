import ml_dtypes
import numpy as np
import pytest

from procsup_jax.errors import UserError
from procsup_jax.io.tensors import open_tensors, write_tensors

ARRAYS = {
    "a/b": np.arange(6, dtype=ml_dtypes.bfloat16).reshape(2, 3),
    "turned": np.arange(6, dtype=np.float32).reshape(2, 3).T,
    "half": np.ones(3, np.float16),
}


def test_arrays_come_back_bit_for_bit(tmp_path):
    write_tensors(tmp_path / "new" / "x", ARRAYS, {"format": "pt"})
    with open_tensors(tmp_path / "new" / "x") as tensors:
        assert tensors.shapes == {name: array.shape for name, array in ARRAYS.items()}
        for name, array in ARRAYS.items():
            found = tensors.read(name)
            assert found.dtype == array.dtype
            np.testing.assert_array_equal(found, array)


def test_equal_arrays_give_equal_bytes_in_any_order(tmp_path):
    write_tensors(tmp_path / "x", ARRAYS)
    write_tensors(tmp_path / "y", dict(reversed(ARRAYS.items())))
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o666 & ~_umask(tmp_path)


def _umask(folder):
    (folder / "z").touch()
    return 0o666 & ~(folder / "z").stat().st_mode


def test_other_types_are_refused_by_name(tmp_path):
    write_tensors(tmp_path / "x", {"ids": np.arange(3)})
    with open_tensors(tmp_path / "x") as tensors, pytest.raises(UserError, match="tensor ids has type I64, expected"):
        tensors.read("ids")


def test_a_missing_or_damaged_file_and_a_bad_place_are_one_line(tmp_path):
    with pytest.raises(UserError, match="cannot read .*no such file"), open_tensors(tmp_path / "x"):
        pass
    (tmp_path / "x").write_bytes(b"junk" * 99)
    with pytest.raises(UserError, match="x is damaged"), open_tensors(tmp_path / "x"):
        pass
    with pytest.raises(UserError, match="cannot write"):
        write_tensors(tmp_path / "x" / "y", ARRAYS)


FULL = """
import pathlib, sys
import numpy as np
from procsup_jax.errors import UserError
from procsup_jax.io.tensors import write_tensors

try:
    write_tensors(pathlib.Path(sys.argv[1]) / "a.safetensors", {"a": np.zeros(500_000)})
except UserError as error:
    print(error)
"""


def test_a_full_disk_is_one_line(on_a_small_disk, tmp_path):
    ended = on_a_small_disk("1m", FULL)
    assert ended.stderr == ""
    assert ended.stdout == (
        f"cannot write {tmp_path / 'a.safetensors'}: the disk is full; free some space or choose another folder, "
        "then run the same command again\n"
    )
