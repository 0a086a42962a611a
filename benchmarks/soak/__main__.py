"""Long tests against faults: each part tries at random what docs/reliability.md promises, and prints one line of JSON.

python -m benchmarks.soak [PART ...] [--size quick|full] [--minutes N] [--seed S] [--kills N] [--solutions N] ...

quick takes a few minutes on two cores, full a night. SIGTERM or Ctrl-C ends it after the tries under way, with what was
found by then. The exit code is 1 where a promise was broken.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.soak import processes
from benchmarks.soak.result import Budget, Result


class Part(NamedTuple):
    """Name what a part counts, how many of them quick and full try, and what it does."""

    what: str
    quick: int
    full: int
    meaning: str


PARTS = {
    "kills": Part("kills", 10, 200, "SIGKILL and SIGTERM at random moments, also inside checkpoints"),
    "signals": Part("tries", 10, 100, "SIGINT and SIGTERM: code, line and time to end"),
    "solutions": Part("solutions", 50_000, 10_000_000, "random solutions through steps, answers and calculator"),
    "malformed": Part("files", 300, 5000, "damaged files through every job"),
    "lock": Part("pairs", 4, 50, "two processes on one folder"),
    "disk": Part("fills", 4, 50, "a full disk"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts named; return 1 where a promise was broken."""
    args = parse(sys.argv[1:] if arguments is None else arguments)
    processes.without_a_device()
    end = None if args.minutes is None else time.monotonic() + 60 * args.minutes
    broken = 0
    for place, name in enumerate(args.parts):
        if place and Budget.is_stopped():
            break
        seconds = None if end is None else max(0.0, end - time.monotonic()) / (len(args.parts) - place)
        found = _run_of(name)(Budget(getattr(args, PARTS[name].what), seconds), args.seed)
        print(found.line, flush=True)
        broken += found.broken
    return int(broken > 0)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the parsed command line, each part's number of tries filled in."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks.soak", description=__doc__, formatter_class=form)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all unless named")
    parser.add_argument("--size", choices=("quick", "full"), default="quick")
    parser.add_argument(
        "--minutes", type=float, help="end then, whatever was tried by then, an equal share to each part"
    )
    parser.add_argument("--seed", type=int, default=0)
    for part in PARTS.values():
        meaning = f"{part.meaning}; quick {part.quick:,}, full {part.full:,}"
        parser.add_argument(f"--{part.what}", type=int, metavar="N", help=meaning)
    args = parser.parse_args(arguments)
    args.parts = args.parts or list(PARTS)
    for name in args.parts:
        if name not in PARTS:
            parser.error(f"part {name!r}: expected some of {', '.join(PARTS)}")
    for part in PARTS.values():
        given = getattr(args, part.what)
        if given is not None and given < 1:
            parser.error(f"--{part.what} {given}: expected at least 1")
        if given is None:
            setattr(args, part.what, getattr(part, args.size))
    return args


def _run_of(name: str) -> Callable[[Budget, int], Result]:
    # Each part imports what it tries: jax, for some.
    return importlib.import_module(f"benchmarks.soak.{name}").run


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: Budget.stop())
    sys.exit(main())
