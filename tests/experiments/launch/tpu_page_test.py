"""docs/tpu.md: its commands are ones that gcloud, xpk and the scripts know."""

import pathlib
import re
import shlex

ROOT = pathlib.Path(__file__).parents[3]
PAGE = (ROOT / "docs/tpu.md").read_text(encoding="utf-8")


def commands(start):
    """Return the page's commands that start so."""
    blocks = re.findall(r"^```\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines() if line.startswith(start)]


def test_every_line_is_a_command_that_is_known():
    known = ("gcloud ", "experiments/launch/", "xpk ", "xm/bin/", "python3 -m venv", "pip install xpk", "sbatch ")
    assert sorted(commands(known)) == sorted(commands(""))


def test_gcloud_knows_its_commands(gcloud_faults):
    found = commands("gcloud ")
    assert len(found) > 10 and gcloud_faults(found) == []


def test_the_scripts_take_their_commands(script):
    found = commands("experiments/launch/")
    assert {pathlib.Path(command.split()[0]).name for command in found} == {"tpu_vm.sh", "xpk.sh"}
    for command in found:
        name, *words = shlex.split(command)
        # --print goes before the arguments of `procsup run`, anywhere after what the script is to do.
        at = words.index("--") if "--" in words else len(words)
        code, out, err = script(pathlib.Path(name).name, *words[:at], "--print", *words[at:])
        assert code == 0 and out and not err, command


def test_slurm_takes_its_command(script):
    [command] = commands("sbatch ")
    words = shlex.split(command)
    at = words.index("experiments/launch/slurm.sbatch")
    assert script("slurm.sbatch", "--print", *words[at + 1 :])[0] == 0


def test_the_launchers_flags_are_there():
    flags = set(re.findall(r'^[A-Z_]+ = flags\.DEFINE_\w+\("(\w+)"', read("xm_launch.py"), re.MULTILINE))
    for command in commands("xm/bin/xmanager"):
        used = [word.removeprefix("--").partition("=")[0] for word in shlex.split(command) if word.startswith("--")]
        assert set(used) - {""} <= flags, command


def read(name):
    return (ROOT / "experiments/launch" / name).read_text(encoding="utf-8")
