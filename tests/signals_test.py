import os
import signal
import subprocess
import sys
import time

import pytest

from procsup_jax import main, signals

BOTH = pytest.mark.parametrize("number", signals.STOPPING)


def start(code, *, ignore=False):
    """Start a process that listens, runs `code` and prints "ready" in it."""
    disposition = signal.SIG_IGN if ignore else signal.default_int_handler
    before = signal.signal(signal.SIGINT, disposition)  # what the child inherits
    try:
        return subprocess.Popen(
            [sys.executable, "-c", f"from procsup_jax import signals; signals.listen()\n{code}"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, before)


def stop(process, number):
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


WAITS = {
    "python": "while True: pass",
    "sleep": "import time; time.sleep(600)",
    "garbage collection": "import gc; gc.callbacks.append(lambda *_: time.sleep(600)); gc.collect()",
    "other thread": "threading.Thread(target=time.sleep, args=(600,)).start()",
    "except": "while True:\n try: time.sleep(600)\n except BaseException: pass",
    "blocked output": "threading.Thread(target=lambda: sys.stderr.write('')).start(); time.sleep(600)",
}


@BOTH
@pytest.mark.parametrize("waiting", WAITS.values(), ids=WAITS)
def test_a_signal_ends_the_process_wherever_it_is(number, waiting):
    process = start(f"import sys, threading, time; print('ready', flush=True)\n{waiting}")
    assert stop(process, number) == (128 + number, "", f"procsup: {signals.STOPPED}\n")


def test_what_was_printed_is_not_lost():
    process = start("import os, time; print('more'); os.write(1, b'ready\\n'); time.sleep(600)")
    assert stop(process, signal.SIGTERM)[1] == "more\n"


def test_a_reader_that_takes_nothing_holds_up_nothing():
    code = "import sys; print('ready', flush=True); sys.stdout.write('x' * 10_000_000)"
    process = start(code)
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    process.communicate()


def test_an_ignored_signal_stays_ignored():
    process = start("import time; print('ready', flush=True); time.sleep(0.5); print('done')", ignore=True)
    assert stop(process, signal.SIGINT) == (0, "done\n", "")


@BOTH
def test_a_deferred_signal_is_caught_and_the_second_is_not(number):
    code = "\n".join((
        "import time",
        "signals.defer(lambda number: print('caught', int(number), flush=True))",
        "print('ready', flush=True)",
        "time.sleep(600)",
    ))  # fmt: skip
    process = start(code)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert process.stdout.readline() == f"caught {int(number)}\n"
    process.send_signal(number)
    assert process.communicate(timeout=60)[1] == f"procsup: {signals.STOPPED}\n"
    assert process.returncode == 128 + number


def test_after_a_deferral_signals_act_again():
    process = start(
        "import time; signals.defer(print); signals.act_again(); print('ready', flush=True); time.sleep(600)"
    )
    assert stop(process, signal.SIGTERM)[0] == 143


def test_others_are_told_first_and_hold_up_nothing():
    code = "\n".join((
        "import os, time",
        "signals._TELL_S = 0.5",
        "signals.tell_first(lambda number: (os.write(1, f'told of {int(number)}'.encode()), time.sleep(600)))",
        "print('ready', flush=True)",
        "time.sleep(600)",
    ))  # fmt: skip
    process = start(code)
    assert stop(process, signal.SIGTERM) == (143, "told of 15", f"procsup: {signals.STOPPED}\n")


@BOTH
def test_a_signal_before_anyone_listens_waits_also_across_exec(number):
    code = (
        f"import os, sys; from procsup_jax import signals; signals.block(); os.kill(os.getpid(), {int(number)}); "
        "os.execv(sys.executable, [sys.executable, '-c', 'from procsup_jax import signals; import time; "
        "signals.listen(); time.sleep(600)'])"
    )
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (ended.returncode, ended.stderr) == (128 + number, f"procsup: {signals.STOPPED}\n")


def test_codes_are_listed():
    assert {signals.exit_code(number) for number in signals.STOPPING} <= set(main.EXIT_CODES)
    assert os.EX_OK in main.EXIT_CODES
