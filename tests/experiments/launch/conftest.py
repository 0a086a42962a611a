"""What the launchers' tests share: the scripts' folder, and how to run one."""

import functools
import json
import pathlib
import shutil
import subprocess

import pytest

LAUNCH = pathlib.Path(__file__).parents[3] / "experiments/launch"


@pytest.fixture
def launch_module(experiment_module):
    """Return how to import a module of experiments/launch, which xmanager puts on the path itself."""
    return functools.partial(experiment_module, "launch")


@pytest.fixture
def script():
    """Return how to run a script of experiments/launch; the code it ends with, its output and its errors."""

    def run(name, *args, environment=None, cwd=None):
        command = ["bash", str(LAUNCH / name), *args]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd, check=False)
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture
def gcloud_faults(tmp_path):
    """Return how to have gcloud check commands without running them; the fixture skips where there is no gcloud."""
    gcloud = shutil.which("gcloud")
    if not gcloud:
        pytest.skip("gcloud is not installed")

    def faults(commands):
        file = tmp_path / "commands.json"
        file.write_text(json.dumps([{"command_string": command} for command in commands]))
        check = [gcloud, "meta", "lint-gcloud-commands", f"--commands-file={file}"]
        found = json.loads(subprocess.run(check, capture_output=True, check=True).stdout)
        assert len(found) == len(commands)
        return [(each["command_string"], each["error_message"]) for each in found if not each["success"]]

    return faults
