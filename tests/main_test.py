import os
import subprocess
import sys

import pytest

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
        assert f"procsup {job}:" in out
        assert "--" in out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["smaple"], "unknown job 'smaple'; expected one of run, data, train, sample"),
        (["grade"], "procsup grade needs --problems"),
        (["grade", "--problem=x"], "problem"),
        (["grade", "x.jsonl"], "takes only --flag=value, found 'x.jsonl'"),
        (["grade", "--problems=absent.jsonl"], "absent.jsonl: no such file"),
        (["run"], "needs --config=FILE"),
        (["run", "--config=absent.py"], "no configuration file absent.py"),
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


def test_grade_imports_no_jax():
    code = "import sys, procsup_jax.main as m; m.main(['grade', '--help']); sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


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
