import os
import pathlib
import subprocess
import sys

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
    monkeypatch.setattr("procsup_jax.runner.folder.RunFolder.run", lambda folder, graph: None)
    assert main.main(["run", f"--config={CONFIG}:tiny", f"--workdir={tmp_path}"]) == 0
    assert not left.exists()
    assert not (tmp_path / ".lock").exists()


def tiny(*args):
    return main.main(["run", f"--config={CONFIG}:tiny", *args])


def test_the_stages_are_listed_and_drawn_without_running_any(tmp_path, capsys):
    folder = tmp_path / "run"
    assert tiny(f"--workdir={folder}", "--stages=list") == 0
    out = capsys.readouterr().out
    assert "train-sft: to run\n  reads  models/base data/sft.jsonl data/validation.jsonl\n" in out
    assert "  makes  models/sft models/sft.history.jsonl\n" in out
    assert out.endswith(f"145 stages, 0 finished in {folder}\n") and not folder.exists()
    assert tiny("--stages=dot", "--dependents=train-sft_prm") == 0
    out = capsys.readouterr().out
    assert '"train-sft_prm" -> "sample-sft_prm_rl.epoch1.search.rl";' in out
    assert '"train-sft"' not in out and '"train-sft_orm"' not in out


def test_what_cannot_be_listed_is_one_line(tmp_path, capsys):
    assert tiny("--stages=list", "--dependents=train-sfr") == 2
    assert "has no stage train-sfr; did you mean train-sft?" in capsys.readouterr().err
    assert tiny("--dependents=train-sft") == 2
    assert "--dependents=train-sft is for --stages=list or --stages=dot" in capsys.readouterr().err


def test_listing_imports_no_jax(tmp_path):
    program = (
        "import sys; from procsup_jax import main; "
        f"code = main.main(['run', '--config={CONFIG}:tiny', '--workdir={tmp_path}/a', '--stages=list']); "
        "sys.exit(code or 'jax' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], stdout=subprocess.DEVNULL, check=False).returncode == 0
