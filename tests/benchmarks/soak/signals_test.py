import random
import signal
import sys

import pytest

from benchmarks.soak import processes, signals

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
CONFIG = processes.ROOT / "configs" / "demo.py"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_imports_ends_it_as_promised(tmp_path, number):
    chance = random.Random(number)
    for _ in range(4):
        run = ["run", f"--config={CONFIG}:tiny", f"--workdir={tmp_path}"]
        outcome = signals.attempt("run", run, number, chance.uniform(0, signals.EARLY_S))
        assert outcome.fault == "", outcome


@pytest.mark.parametrize(
    ("code", "stderr", "fault"),
    [
        (143, "procsup: stopped; x\n", ""),
        (143, "f: stopped after step 3\n", ""),
        (-15, "", "exit code -15, expected 143"),
        (143, "", "0 lines"),
        (143, "stopped\nstopped\n", "2 lines"),
        (143, "Traceback\nstopped\n", "no traceback"),
    ],
)
def test_what_a_fault_is(code, stderr, fault):
    outcome = signals.Outcome("run", signal.SIGTERM, 1.0, code, 0.5, stderr)
    assert fault in outcome.fault and bool(fault) == bool(outcome.fault)


def test_counts_are_of_early_and_later_ones():
    outcomes = [
        signals.Outcome("run", signal.SIGTERM, after_s, 143, ended_s, "procsup: stopped\n")
        for after_s, ended_s in ((0.5, 0.2), (1.0, 0.36), (9.0, 4.0))
    ]
    assert signals.counts(outcomes) == {"early": 2, "slowest_early_s": 0.4, "slowest_later_s": 4.0}
