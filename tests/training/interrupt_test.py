import os
import signal
import threading

import pytest

from procsup_jax import signals
from procsup_jax.training.interrupt import Interrupts


@pytest.fixture(autouse=True)
def default_handler():
    """Let Ctrl-C act as in a terminal: in what a script starts in the background it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_signal_waits_to_be_asked_for(number, error):
    with Interrupts() as interrupts:
        assert not interrupts.requested()
        interrupts.leave("nothing to do")
        os.kill(os.getpid(), number)
        assert interrupts.requested()
        with pytest.raises(error):
            interrupts.leave("stopped")


def test_a_second_signal_acts_at_once():
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        interrupts.requested()
        os.kill(os.getpid(), signal.SIGINT)
        while not interrupts.requested():  # two signals at once may arrive as one
            threading.Event().wait(0.01)
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(1)


def test_the_old_handlers_come_back():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Interrupts() as interrupts:
        assert signal.getsignal(signal.SIGINT) == before[0]  # nothing to save before the first step
        interrupts.requested()
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_other_threads_install_nothing():
    before, seen = signal.getsignal(signal.SIGINT), []

    def work():
        with Interrupts() as interrupts:
            seen.extend([signal.getsignal(signal.SIGINT), interrupts.requested()])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before, False]


@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_signal_that_nobody_asked_for_acts_at_the_end(number, error, capsys):
    with pytest.raises(error), Interrupts() as interrupts:
        interrupts.requested()
        os.kill(os.getpid(), number)
    assert capsys.readouterr().err == f"procsup: {signals.STOPPED}\n"


def test_an_ignored_signal_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interrupts() as interrupts:
        interrupts.requested()
        os.kill(os.getpid(), signal.SIGINT)
        assert not interrupts.requested()
