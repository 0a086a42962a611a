import os
import subprocess
import sys

import pytest

import procsup_jax
from procsup_jax import main
from procsup_jax.console import HUGE_PAGES


def run(capsys, *argv):
    code = main.main(argv)
    out = capsys.readouterr()
    return code, out.out, out.err


def test_every_job_has_a_run_with_help(capsys):
    for job in main.JOBS:
        code, out, _ = run(capsys, job, "--help")
        assert code == 0
        assert out.startswith(f"usage: procsup {job} ")
        assert "flags:" in out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["smaple"], "unknown job 'smaple'; expected one of run, data, train, sample"),
        (["grade"], "procsup grade needs --problems"),
        (["grade", "--problem=x"], "problem"),
        (["grade", "x.jsonl"], "takes only --flag=value, found 'x.jsonl'"),
        (["grade", "--problems=absent.jsonl"], "absent.jsonl: no such file"),
        (["run"], "needs --config=NAME or --config=FILE, such as --config=demo"),
        (["run", "--config=absent.py"], "no configuration file absent.py"),
        (["run", "--config=dem"], "did you mean demo?"),
        (["grade", "--config=demo", "--help"], "--config=demo is not a flag of procsup grade"),
        (["run", "--config=demo", "--workdir="], "--workdir= is empty"),
        (["run", "--config=configs/demo.py:huge"], "'huge' is no size of this config"),
        (["run", "--config=configs/demo.py", "--config.sft.num_step=3"], "did you mean config.sft.num_steps?"),
        (["grade", "--problems=x", "--config.a=1"], "--config.a=1 is not a flag of procsup grade"),
        (["label", "--problems=x", "--samples=x", "--output=x", "--source=guess"], "outcome|oracle|intermediate"),
        (["data", "--dataset=worlds", "--output=x", "--num=many"], "num"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(capsys, argv, message):
    code, _, err = run(capsys, *argv)
    assert code == 2
    assert message in err
    assert err.startswith("procsup: ")
    assert err.count("\n") == 1


def test_no_job_imports_jax_before_its_flags_and_settings_are_right(tmp_path):
    """Seconds would pass before a mistake is said."""
    (tmp_path / "p.jsonl").write_text("{}\n")
    shared = f"'--problems={tmp_path}/p.jsonl', '--output={tmp_path}/o'"
    code = f"""
import sys
from procsup_jax.main import JOBS, main
for job in JOBS:
    assert main([job, "--help"]) == 0, job
assert main(["run", "--config=demo:tiny", "--config.sft.num_step=3"]) == 2
assert main(["run", "--config=demo:tiny", "--config.seed=x"]) == 2
assert main(["sample", {shared}, "--policy=worlds_base"]) == 2  # a problem without a uid
assert main(["sample", {shared}, "--policy=worlds_base", "--config=sample", "--config.top_p=-1"]) == 2
assert main(["search", {shared}, "--policy=worlds_base", "--rm=absent"]) == 2
assert main(["score", {shared}, "--rm=worlds_base", "--samples=absent"]) == 2
assert main(["train", {shared}, "--task=sft", "--model=worlds_base"]) == 2
assert main(["convert", "--input=absent", "--output={tmp_path}/o", "--to=hf"]) == 2
sys.exit("jax" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_version_is_said_without_jax(capsys):
    code, out, _ = run(capsys, "--version")
    assert code == 0 and out.startswith(f"procsup {procsup_jax.__version__} (Python 3.")


def test_the_package_is_the_command():
    command = [sys.executable, "-m", "procsup_jax", "--version"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout.startswith(f"procsup {procsup_jax.__version__} ")


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has the setting")
@pytest.mark.parametrize(
    ("argument", "given", "starts", "ends_with"),
    [("--help", None, 2, HUGE_PAGES[1]), ("--help", "x.y=1", 1, "x.y=1"), ("grade", None, 1, "None")],
)
def test_the_command_starts_anew_with_huge_pages(argument, given, starts, ends_with):
    code = (
        "import atexit, os; from procsup_jax.console import console; print('starts', flush=True); "
        f"atexit.register(lambda: print(os.environ.get({HUGE_PAGES[0]!r}))); console()"
    )
    env = {key: value for key, value in os.environ.items() if key != HUGE_PAGES[0]}
    if given is not None:
        env[HUGE_PAGES[0]] = given
    ended = subprocess.run([sys.executable, "-c", code, argument], env=env, capture_output=True, text=True)
    assert ended.stdout.splitlines().count("starts") == starts
    assert ended.stdout.splitlines()[-1] == ends_with
