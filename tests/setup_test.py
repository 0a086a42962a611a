"""What setup.py puts into the package: a wheel has the configurations, known by name."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]


def test_configurations_are_built_into_the_package(tmp_path):
    pytest.importorskip("setuptools")
    build = ["egg_info", f"--egg-base={tmp_path}", "build_py", f"--build-lib={tmp_path / 'lib'}"]
    done = subprocess.run([sys.executable, "setup.py", "-q", *build], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    built = tmp_path / "lib" / "procsup_jax" / "configs"
    assert {path.name for path in built.iterdir()} == {path.name for path in (ROOT / "configs").glob("*.py")}
    for path in built.iterdir():
        assert path.read_bytes() == (ROOT / "configs" / path.name).read_bytes()
    code = (
        "from procsup_jax.settings import config_file, load; print(config_file('demo'), load(['--config=demo']).name)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "lib", env={"PYTHONPATH": str(tmp_path / "lib")},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.split() == [str(built / "demo.py"), "demo"]
