import os
import pathlib

import pytest

from procsup_jax import main
from procsup_jax.jobs import run

CONFIG = pathlib.Path(main.__file__).parents[1] / "configs" / "demo.py"


@pytest.mark.parametrize(
    ("given", "level", "wanted"),
    [
        ("", 3, ""),
        ("", 0, "--xla_backend_optimization_level=0"),
        ("--xla_dump_to=x", 1, "--xla_dump_to=x --xla_backend_optimization_level=1"),
        ("--xla_backend_optimization_level=2", 0, "--xla_backend_optimization_level=2"),
    ],
)
def test_a_level_in_the_environment_stands(monkeypatch, given, level, wanted):
    monkeypatch.setenv("XLA_FLAGS", given)
    run._set_optimization_level(level)
    assert os.environ["XLA_FLAGS"] == wanted


@pytest.mark.parametrize(
    ("workdir", "message"),
    [
        ("", "--workdir= is empty; expected a path"),
        ("{}/file", "file is a file, expected a folder to write; choose another name"),
        ("{}/file/in", "file is a file, not a folder; choose another name"),
        ("{}/link", "link is a link to "),
        ("/sys/procsup", "cannot write /sys/procsup: no permission; choose a folder you may write to"),
    ],
)
def test_a_workdir_that_is_none_is_one_line(tmp_path, capsys, workdir, message):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "absent")
    assert main.main(["run", f"--config={CONFIG}:tiny", f"--workdir={workdir.format(tmp_path)}"]) == 2
    err = capsys.readouterr().err
    assert message in err and err.startswith("procsup: ") and err.count("\n") == 1
    assert (tmp_path / "file").read_text() == "mine" and not (tmp_path / "absent").exists()


def test_what_a_killed_run_left_is_swept_before_anything_else(tmp_path, monkeypatch):
    left = tmp_path / "models" / ".base.abcdefgh.tmp"
    left.mkdir(parents=True)
    monkeypatch.setattr("procsup_jax.stages.run.run_experiment", lambda ctx: None)
    assert main.main(["run", f"--config={CONFIG}:tiny", f"--workdir={tmp_path}"]) == 0
    assert not left.exists()
    assert not (tmp_path / ".lock").exists()
