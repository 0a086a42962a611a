"""What flags point to, looked at before a job starts."""

import os
import pathlib

import pytest

from procsup_jax import places
from procsup_jax.errors import UserError
from procsup_jax.io import models


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "problems.jsonl").write_text("{}")
    (tmp_path / "empty").mkdir()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / models.HEADER).write_text("{}")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("problems.jsonl", "file"),
        ("empty", "folder"),
        ("empty", "path"),
        ("problems.jsonl", "path"),
        ("model", "model"),
    ],
)
def test_what_is_there_passes(folder, name, place):
    places.check_read("x", folder / name, place)


@pytest.mark.parametrize(
    ("name", "place", "message"),
    [
        ("prolems.jsonl", "file", "no such file; did you mean .*/problems.jsonl\\?"),
        ("zzz", "folder", "no such folder; check the path"),
        ("zzz", "path", "no such file or folder"),
        ("absent/x", "file", "no such file; there is no folder .*/absent"),
        ("", "file", "is a folder, expected a file, such as .*/problems.jsonl"),
        ("problems.jsonl", "model", "is a file, expected a folder"),
        ("empty", "model", "holds no model.json; .*procsup convert --input=.*/empty --to=procsup"),
        ("worlds_base/x", "model", "no such folder"),
    ],
)
def test_what_is_not_is_one_line_with_the_flag(folder, name, place, message):
    with pytest.raises(UserError, match=f"^--x=.*{message}") as error:
        places.check_read("x", folder / name, place)
    assert "\n" not in str(error.value)


def test_the_models_that_ship_are_known_by_name():
    assert models.model_folder(models.SHIPPED) == places.SHIPPED_MODELS / models.SHIPPED
    places.check_read("policy", pathlib.Path(models.SHIPPED), "model")
    assert places.MODEL_HEADER == models.HEADER


def test_a_named_file_is_what_stands_behind_the_name(folder):
    places.check_read("scores", f"prm={folder / 'problems.jsonl'}", "named file")
    places.check_read("scores", "prm", "named file")  # the job says what it expects
    with pytest.raises(UserError, match="^--scores=prm=absent: no such file"):
        places.check_read("scores", "prm=absent", "named file")


def test_pipes_and_devices_are_read_and_written(tmp_path):
    read, write = os.pipe()
    try:
        places.check_read("x", f"/dev/fd/{read}", "file")
        places.check_written("x", pathlib.Path("/dev/stdout"), "file")
        places.check_written("x", pathlib.Path("/dev/null"), "file")
    finally:
        os.close(read)
        os.close(write)


@pytest.mark.parametrize(
    ("name", "place", "message"),
    [
        ("empty", "file", "is a folder, expected a file to write, such as .*/empty/x.jsonl"),
        ("problems.jsonl", "folder", "is a file, expected a folder"),
        ("problems.jsonl/s.jsonl", "file", ".*problems.jsonl is a file, not a folder"),
    ],
)
def test_what_cannot_be_written_is_said(folder, name, place, message):
    with pytest.raises(UserError, match=f"^--x=.*{message}"):
        places.check_written("x", folder / name, place)


def test_what_can_be_written_passes_and_nothing_is_made(folder):
    places.check_written("x", folder / "new" / "deep" / "s.jsonl", "file")
    places.check_written("x", folder / "problems.jsonl", "file")
    places.check_written("x", folder / "model", "folder")
    assert not (folder / "new").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to_is_said(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="may not be written to"):
        places.check_written("x", tmp_path / "s.jsonl", "file")
