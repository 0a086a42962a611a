"""What is compiled while the program runs: how many programs, for how long, and how many the cache had."""

from __future__ import annotations

import functools
import sys
import threading
from typing import NamedTuple, TextIO

from jax import monitoring
from tqdm import tqdm

from procsup_jax.progress import Progress

# JAX's names for: a program's code for the compiler is ready, the compiler (or the cache) has handed the program over,
# it came from the persistent cache.
_LOWERED = "/jax/core/compile/jaxpr_to_mlir_module_duration"
_COMPILED = "/jax/core/compile/backend_compile_duration"
_CACHE_HIT = "/jax/compilation_cache/cache_hits"


class Compiled(NamedTuple):
    """Count programs compiled anew and programs read from the persistent cache, and the seconds that took."""

    programs: int
    cached: int
    seconds: float

    def since(self, before: Compiled) -> Compiled:
        """Return what was added to an earlier count."""
        return Compiled(self.programs - before.programs, self.cached - before.cached, self.seconds - before.seconds)

    def __str__(self) -> str:
        parts = [f"compiled {_count(self.programs)}"] if self.programs else []
        parts += [f"read {_count(self.cached)} from the cache"] if self.cached else []
        return f"{' and '.join(parts) or 'compiled nothing'} in {self.seconds:.0f} s"


def total() -> Compiled:
    """Return what this process has compiled since the first call of this function or of `announce`."""
    return _watch().compiled


def announce(after_s: float = 2.0, stream: TextIO | None = None) -> None:
    """From now on say what is being compiled when it takes longer than `after_s`, as nothing else moves meanwhile.

    Of several processes the one that shows progress says it.
    """
    watch = _watch()
    watch.after_s, watch.stream = after_s, stream


class _Watch:
    """Listen to JAX; it has no way to tell one caller's programs from another's, so a process has one watch."""

    def __init__(self) -> None:
        self.compiled = Compiled(0, 0, 0.0)
        self.after_s: float | None = None
        self.stream: TextIO | None = None
        self._timer: threading.Timer | None = None
        monitoring.register_event_listener(self._event)
        monitoring.register_event_duration_secs_listener(self._duration)

    def _event(self, event: str, **_: str | int) -> None:
        if event == _CACHE_HIT:
            programs, cached, seconds = self.compiled
            self.compiled = Compiled(programs - 1, cached + 1, seconds)  # its _COMPILED is still to come

    def _duration(self, event: str, duration_secs: float, **details: str | int) -> None:
        if event == _COMPILED:
            programs, cached, seconds = self.compiled
            self.compiled = Compiled(programs + 1, cached, seconds + duration_secs)
            self._set_timer(None)
        elif event == _LOWERED and self.after_s is not None:
            self._set_timer(threading.Timer(self.after_s, self._say, [details.get("fun_name", "a program")]))

    def _set_timer(self, timer: threading.Timer | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = timer
        if timer is not None:
            timer.daemon = True
            timer.start()

    def _say(self, name: str | int) -> None:
        if Progress.is_shown:
            tqdm.write(f"compiling {name} ...", file=self.stream or sys.stderr)


def _count(programs: int) -> str:
    return "1 program" if programs == 1 else f"{programs} programs"


@functools.cache
def _watch() -> _Watch:
    return _Watch()
