import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import pytest

from procsup_jax import claims, lock
from procsup_jax.errors import UserError

HOLD = """
import sys, time
from procsup_jax import lock
with lock.hold(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@contextlib.contextmanager
def holder(folder):
    """Let another process hold a folder; yields that process."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), "--a=1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_second_says_who_holds_it_since_when(tmp_path):
    with holder(tmp_path) as process:
        for attempt in (lock.check, lambda folder: lock.hold(folder).__enter__()):
            started = time.monotonic()
            with pytest.raises(UserError) as caught:
                attempt(tmp_path)
            assert time.monotonic() - started < 1
            message = str(caught.value)
            assert message.startswith(f"{tmp_path} is in use by pid {process.pid} on {socket.gethostname()} (")
            assert "--a=1" in message and " since 20" in message and "\n" not in message
            assert message.endswith("; wait for it, stop it, or choose another folder")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_goes_with_its_process(tmp_path, number):
    with holder(tmp_path) as process:
        process.send_signal(number)
        process.wait()
        assert (tmp_path / lock.LOCK).exists()
        lock.check(tmp_path)
        with lock.hold(tmp_path):
            assert json.loads((tmp_path / lock.LOCK).read_text())["pid"] == os.getpid()
    assert not any(tmp_path.iterdir())


def test_one_of_two_at_the_same_time_gets_it(tmp_path):
    started = [
        subprocess.Popen(
            [sys.executable, "-c", HOLD.replace("60", "1"), str(tmp_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    ended = [process.communicate() for process in started]
    assert sorted(out for out, _ in ended) == ["", "held\n"]
    assert sorted("is in use by" in err for _, err in ended) == [False, True]


def test_a_process_does_not_lock_itself_out(tmp_path):
    with lock.hold(tmp_path), lock.hold(tmp_path), lock.hold(tmp_path / "train" / "sft"):
        lock.check(tmp_path)
        assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [lock.LOCK]
    with lock.hold(tmp_path):
        pass
    assert not (tmp_path / lock.LOCK).exists()


def test_it_ends_with_an_error_too(tmp_path):
    with pytest.raises(RuntimeError), lock.hold(tmp_path):
        raise RuntimeError
    with lock.hold(tmp_path):
        pass


def test_a_holder_that_has_not_said_its_name_yet(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "_PAUSE_S", 0.001)
    with holder(tmp_path):
        for left in ("", "[]", json.dumps({"pid": 2**22 + 1, "host": socket.gethostname()})):  # or a predecessor's
            (tmp_path / lock.LOCK).write_text(left)
            with pytest.raises(UserError, match="is in use by another process;"):
                lock.check(tmp_path)


def test_a_file_system_without_locks_is_a_warning(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(claims, "claim", lambda handle: None)
    lock.check(tmp_path)
    with lock.hold(tmp_path):
        pass
    assert "has no locks: let no other process write there" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_to_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "absent")
    (tmp_path / "taken" / lock.LOCK).mkdir(parents=True)
    for name, message in (
        ("file", "choose another name"),
        ("file/in", "not a directory; choose another name"),
        ("link", "is a link to .*absent, which is absent"),
        ("taken", "it is a folder"),
    ):
        with pytest.raises(UserError, match=message):
            lock.hold(tmp_path / name).__enter__()
    if pathlib.Path("/sys").is_dir() and sys.platform == "linux":
        with pytest.raises(UserError, match="no permission; choose a folder you may write to"):
            lock.hold("/sys/procsup").__enter__()


PROCSUP = [sys.executable, "-c", "from procsup_jax.console import console; console()"]
CONFIG = pathlib.Path(lock.__file__).parents[1] / "configs" / "demo.py"


@pytest.mark.parametrize(
    "arguments",
    [["run", f"--config={CONFIG}:tiny", "--workdir={}"], ["report", "--workdir={}"]],
    ids=["run", "report"],
)
def test_a_job_refuses_a_folder_in_use(tmp_path, arguments):
    if arguments[0] == "report":
        (tmp_path / "results.json").write_text('{"models": {}}')
        (tmp_path / "examples.jsonl").write_text("")
    with holder(tmp_path):
        ended = subprocess.run(
            [*PROCSUP, *(each.format(tmp_path) for each in arguments)], capture_output=True, text=True, timeout=100
        )
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"procsup: {tmp_path} is in use by pid ") and ended.stderr.count("\n") == 1
    assert not (tmp_path / "report.html").exists() and not (tmp_path / "stages").exists()


def test_nothing_is_left_of_a_missing_folder(tmp_path):
    lock.check(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


def test_a_run_refuses_its_own_folder_in_use_before_jax_is_imported(tmp_path):
    folder = tmp_path / "runs/demo"
    folder.mkdir(parents=True)
    script = "import sys; from procsup_jax.main import main; main(sys.argv[1:]); print('jax' in sys.modules)"
    with holder(folder):
        command = [sys.executable, "-c", script, "run", f"--config={CONFIG}:tiny"]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=tmp_path)
    assert ended.stderr.startswith(f"procsup: {folder} is in use by pid ")
    assert ended.stdout == "False\n"
