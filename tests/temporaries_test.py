import pathlib
import subprocess
import sys

import pytest

from procsup_jax import claims, files, places, temporaries
from procsup_jax.errors import UserError
from procsup_jax.io.models import model_folder

# Writes "new" to a file or a folder and is killed at the point that the third argument names.
KILLED = """
import os, pathlib, signal, sys
from procsup_jax import files
kind, path, point = sys.argv[1:]

def kill(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

rename = pathlib.Path.rename
if point == "between":
    pathlib.Path.rename = lambda self, to: (rename(self, to), kill())
if kind == "file":
    with files.atomic_writer(path) as file:
        file.write("new")
        file.flush()
        kill()
with files.whole_folder(path) as folder:
    (folder / "a").write_text("new")
    if point == "inside":
        kill()
"""


def be_killed(kind, path, point="inside"):
    ended = subprocess.run([sys.executable, "-c", KILLED, kind, str(path), point])
    assert ended.returncode == -9


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_kill_left_is_swept_by_the_next_writer(tmp_path, kind):
    for name in ("a", "b"):
        be_killed(kind, tmp_path / name)
    assert len(names(tmp_path)) == 2
    if kind == "file":
        files.write_text(tmp_path / "a", "x")
    else:
        with files.whole_folder(tmp_path / "a"):
            pass
    left, written = names(tmp_path)
    assert left.startswith(".b.") and written == "a"  # the other target's is its own writer's to sweep


def test_sweep_all_sweeps_the_folders_within(tmp_path):
    be_killed("file", tmp_path / "train" / "sft" / "metrics.jsonl")
    be_killed("folder", tmp_path / "models" / "sft")
    kept = [tmp_path / "a.tmp", tmp_path / ".hidden", tmp_path / ".a.tmp", tmp_path / "models" / "b.aaaaaaaa.tmp"]
    for path in kept:
        path.write_text("")
    temporaries.sweep_all(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == sorted(kept, key=lambda path: len(path.parts))


def test_what_is_being_written_is_never_swept(tmp_path):
    script = "import sys, pathlib; from procsup_jax import temporaries as t; t.sweep_all(pathlib.Path(sys.argv[1]))"
    with (
        files.atomic_writer(tmp_path / "a") as file,
        files.whole_folder(tmp_path / "b") as folder,
        files.whole_file(tmp_path / "c") as path,
    ):
        file.write("x")
        (folder / "y").write_text("y")
        path.write_text("z")
        temporaries.sweep_all(tmp_path)
        subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
    assert names(tmp_path) == ["a", "b", "c"]
    assert [(tmp_path / name).read_text() for name in ("a", "b/y", "c")] == ["x", "y", "z"]


def test_without_locks_nothing_is_swept(tmp_path, monkeypatch):
    be_killed("file", tmp_path / "a")
    monkeypatch.setattr(claims, "claim", lambda handle: None)
    temporaries.sweep_all(tmp_path)
    assert len(names(tmp_path)) == 1


def test_a_temporary_swept_before_it_is_claimed_is_made_again(tmp_path, monkeypatch):
    original, swept = claims.claim, []

    def claim(handle):
        if not swept:
            swept.extend(tmp_path.iterdir())
            for path in swept:
                path.unlink() if path.is_file() else [each.unlink() for each in path.iterdir()]
        return original(handle)

    monkeypatch.setattr(claims, "claim", claim)
    files.write_text(tmp_path / "a", "x")
    assert (tmp_path / "a").read_text() == "x" and swept
    swept.clear()
    with files.whole_folder(tmp_path / "b") as folder:
        (folder / "c").write_text("y")
    assert (tmp_path / "b" / "c").read_text() == "y" and swept


@pytest.mark.parametrize("mend", ["reader", "flag", "writer", "sweep"])
def test_a_kill_between_the_renames_loses_nothing(tmp_path, mend):
    target = tmp_path / "model"
    target.mkdir()
    (target / "a").write_text("old")
    be_killed("folder", target, "between")
    assert not target.exists()
    if mend == "reader":
        assert (model_folder(target) / "a").read_text() == "new"
    elif mend == "flag":
        with pytest.raises(UserError, match="holds no model.json"):  # and not: no such folder
            places.check_read("policy", target, "model")
        assert (target / "a").read_text() == "new"
    elif mend == "sweep":
        temporaries.sweep_all(tmp_path)
        assert (target / "a").read_text() == "new"
    else:
        with pytest.raises(RuntimeError), files.whole_folder(target) as folder:
            assert (target / "a").read_text() == "new"
            (folder / "a").write_text("never")
            raise RuntimeError
        assert (target / "a").read_text() == "new"
    assert names(tmp_path) == ["model"]


def test_a_folder_that_cannot_be_put_in_place_leaves_the_old_one(tmp_path, monkeypatch):
    target, rename = tmp_path / "model", pathlib.Path.rename
    target.mkdir()
    (target / "a").write_text("old")
    fails = iter([False, True, False])

    def once(self, to):
        if next(fails):
            raise OSError(28, "No space left on device")
        return rename(self, to)

    with monkeypatch.context() as patch, pytest.raises(UserError, match="the disk is full"):
        patch.setattr(pathlib.Path, "rename", once)
        with files.whole_folder(target) as folder:
            (folder / "a").write_text("new")
    assert (target / "a").read_text() in ("old", "new")
    assert names(tmp_path) == ["model"]


def test_a_whole_folder_does_not_replace_a_file(tmp_path):
    (tmp_path / "notes").write_text("mine")
    with (
        pytest.raises(UserError, match="notes: not a directory; choose another name"),
        files.whole_folder(tmp_path / "notes"),
    ):
        pass
    assert (tmp_path / "notes").read_text() == "mine"


def test_links_are_not_followed(tmp_path):
    (tmp_path / "mine").write_text("x")
    (tmp_path / ".a.abcdefgh.tmp").symlink_to(tmp_path / "mine")
    temporaries.sweep_all(tmp_path)
    assert (tmp_path / "mine").read_text() == "x"
