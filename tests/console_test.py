import pathlib
import subprocess
import sys

import pytest

from procsup_jax import main

CONSOLE = "from procsup_jax.console import console; console()"


def run(*argv, code=CONSOLE, **keywords):
    return subprocess.run([sys.executable, "-c", code, *argv], stderr=subprocess.PIPE, text=True, **keywords)


def test_the_code_of_each_end():
    assert run("--help", stdout=subprocess.DEVNULL).returncode == 0
    assert run("smaple").returncode == 2
    broken = run("--help", code=f"from procsup_jax import main; main._usage = lambda: 1 / 0; {CONSOLE}")
    assert broken.returncode == 1 and "ZeroDivisionError" in broken.stderr
    left = run(
        "--help", code=f"import sys; from procsup_jax import main; main._usage = lambda: sys.exit(143); {CONSOLE}"
    )
    assert (left.returncode, left.stderr) == (143, "")


def test_a_reader_that_went_away_is_141_without_a_word():
    process = subprocess.Popen(
        [sys.executable, "-c", f"import time; time.sleep(0.2); {CONSOLE}", "--help"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 141
    process.stderr.close()


def test_a_full_output_is_one_line():
    if not pathlib.Path("/dev/full").is_char_device():
        pytest.skip("/dev/full is absent on this system")
    with pathlib.Path("/dev/full").open("w") as full:
        ended = run("--help", stdout=full)
    assert ended.returncode == 2
    assert ended.stderr == (
        "procsup: the disk is full ([Errno 28] No space left on device); free some space, "
        "then run the same command again\n"
    )


def test_help_lists_the_codes(capsys):
    main.main(["--help"])
    shown = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    for code, what in main.EXIT_CODES.items():
        assert [str(code), what] in shown
