"""Several processes of one command, each with a device of its own: started, watched, and gone when their test ends."""

import os
import pathlib
import socket
import subprocess
import sys
import time

import pytest

from procsup_jax import surroundings

CONSOLE = "from procsup_jax.console import console; console()"
# In the suite several others compile on the same cores.
_LIMIT_S = 600


class Process:
    """Hold one of them, and what it prints."""

    def __init__(self, folder, argv, environment):
        self._files = [pathlib.Path(folder, name) for name in ("out", "err")]
        with self._files[0].open("w") as out, self._files[1].open("w") as err:
            self.popen = subprocess.Popen(
                [sys.executable, "-c", CONSOLE, *argv], env=environment, stdout=out, stderr=err
            )

    @property
    def out(self):
        return self._files[0].read_text()

    @property
    def err(self):
        return self._files[1].read_text()


class Several:
    """Start processes; all that are left are killed in the end."""

    def __init__(self, folder):
        self._folder, self._started = folder, []

    def start(self, number, *argv, each=None):
        """Start so many processes of one command; `each` has a flag more for each of them."""
        flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=1"
        environment = {**os.environ, "XLA_FLAGS": flags}
        common = f"--coordinator=127.0.0.1:{free_port()}", f"--num_processes={number}"
        found = []
        for i in range(number):
            folder = self._folder / f"{len(self._started)}"
            folder.mkdir()
            own = () if each is None else (each[i],)
            found.append(Process(folder, (*argv, *own, *common, f"--process_id={i}"), environment))
            self._started.append(found[-1])
        return found

    def finish(self, started, codes=(0,)):
        """Wait until all have ended, with one of these codes."""
        for process in started:
            process.popen.wait(_LIMIT_S)
        assert {process.popen.returncode for process in started} <= set(codes), [each.err for each in started]

    def lose(self, started, victim, until=None):
        """Kill one of two processes, and see that the other ends soon and says why."""
        wait(until or (lambda: "2 processes with 2 devices have joined" in started[0].err), started)
        started[victim].popen.kill()
        killed_at = time.monotonic()
        other = started[1 - victim]
        other.popen.wait(120)
        assert time.monotonic() - killed_at < 60
        assert other.popen.returncode == surroundings.LOST, other.err
        assert other.err.splitlines()[-1].startswith("procsup: ")
        assert "the same command in all of them again" in " ".join(other.err.split())

    def kill(self):
        for process in self._started:
            process.popen.kill()
            process.popen.wait()


def wait(is_so, started):
    """Return when something is so; fail when the processes end before, or it takes too long."""
    until = time.monotonic() + _LIMIT_S
    while not is_so():
        assert time.monotonic() < until
        assert all(process.popen.poll() is None for process in started), [process.err for process in started]
        time.sleep(0.1)


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture
def several(tmp_path):
    """Return what starts several processes of one command."""
    found = Several(tmp_path)
    yield found
    found.kill()
