import errno
import hashlib
import os
import pathlib
import stat

import pytest

from procsup_jax import files
from procsup_jax.errors import UserError


def test_the_file_appears_only_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with files.atomic_writer(path) as file:
        file.write("één\n")
        assert not path.exists()
    assert path.read_bytes() == "één\n".encode()
    assert list(path.parent.iterdir()) == [path]


def test_a_failing_block_leaves_the_old_file_and_no_rest(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(KeyboardInterrupt), files.atomic_writer(path) as file:
        file.write("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_permissions_follow_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        files.write_bytes(tmp_path / "a", b"x")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_a_full_disk_is_one_clear_line(tmp_path):
    full = pytest.raises(UserError, match=r"a\.txt: the disk is full; free some space")
    with full, files.atomic_writer(tmp_path / "a.txt"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not list(tmp_path.iterdir())


def test_a_full_device_is_one_clear_line():
    device = pathlib.Path("/dev/full")
    if not device.is_char_device():
        pytest.skip("/dev/full is absent on this system")
    with pytest.raises(UserError, match="/dev/full: the disk is full"):
        files.write_bytes(device, b"x" * 100_000)
    assert device.is_char_device()


def test_a_pipe_is_written_to_and_stays_one(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    files.write_text(pipe, "one\n")
    assert os.read(reader, 10) == b"one\n"
    os.close(reader)
    assert pipe.is_fifo()


def test_a_link_stays_one(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "far.txt")
    files.write_text(link, "x")
    assert link.is_symlink() and (tmp_path / "far.txt").read_text() == "x"


def test_a_file_in_the_way_of_a_folder_is_named(tmp_path):
    files.write_text(tmp_path / "a", "")
    with pytest.raises(UserError, match=r"a/b: .*choose another name"):
        files.write_text(tmp_path / "a" / "b", "")


def test_sha256_file(tmp_path):
    files.write_bytes(tmp_path / "a", b"abc")
    assert files.sha256_file(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
    with pytest.raises(UserError, match=r"cannot read .*missing: no such file"):
        files.sha256_file(tmp_path / "missing")


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path):
    with (
        pytest.raises(UserError, match="cannot read .*: it is a folder; give a file"),
        files.explain_os_errors(tmp_path, "read"),
    ):
        tmp_path.read_text()
