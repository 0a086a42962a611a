import pathlib
import subprocess
import sys

import pytest

from benchmarks import peak

WAITS = "import sys; a = bytearray(100_000_000); del a; print(flush=True); sys.stdin.readline()"


@pytest.mark.skipif(not pathlib.Path("/proc/self/clear_refs").exists(), reason="Linux counts it, others do not")
def test_a_peak_is_remembered_until_it_is_forgotten():
    with subprocess.Popen([sys.executable, "-c", WAITS], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        before = peak.read(process.pid)
        peak.forget(process.pid)
        assert before - peak.read(process.pid) > 90 and before < 200
        process.stdin.close()


def test_no_process_has_no_peak():
    peak.forget(2**30)
    assert peak.read(2**30) is None
