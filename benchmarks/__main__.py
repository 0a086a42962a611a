"""Measure this project and its peers in turns, one JSON line a contender.

python -m benchmarks [NAME ...] [--size 2m 25m] [--rounds 5] [--core N] [--output FOLDER] [--python LIBRARY=PATH ...]
python -m benchmarks [NAME ...] --device gpu   in bfloat16, on the GPU that jax and torch see
python -m benchmarks compare [NAME ...] --old FOLDER   another checkout's work beside this one's
python -m benchmarks demo --run runs/demo      the seconds of each stage of a finished run
python -m benchmarks memory                    what a large vocabulary's loss and the remat policies hold; compiles only
python -m benchmarks table FILE.jsonl ...      markdown tables of what was printed
python -m benchmarks plot FILE.jsonl ... --output FOLDER
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pathlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks import compare, demo, plots, runner, table
from benchmarks.suite import BENCHMARKS, LIBRARIES
from benchmarks.workload import SIZES, Task
from procsup_jax import files
from procsup_jax.errors import UserError

Record = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status, 1 where a contender failed or does not agree with ours."""
    args = parse(sys.argv[1:] if arguments is None else arguments)
    try:
        return int(args.command(args))
    except (UserError, runner.Failed) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2 if isinstance(error, UserError) else 1


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the parsed command line, with the function to call as `command`."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__, formatter_class=form)
    name = arguments[0] if arguments else ""
    if name == "compare":
        parser.add_argument("compare")
        parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(compare.SPECS)}; all unless named")
        parser.add_argument("--old", type=pathlib.Path, required=True, help="a checkout of another commit")
        _add_turns(parser, compare.SIZES)
        parser.set_defaults(command=_compare)
    elif name == "demo":
        parser.add_argument("demo")
        parser.add_argument("--run", type=pathlib.Path, required=True, help="the run's --workdir")
        parser.set_defaults(command=_demo)
    elif name == "memory":
        parser.add_argument("memory")
        parser.set_defaults(command=_memory)
    elif name in ("table", "plot"):
        parser.add_argument(name)
        parser.add_argument("files", nargs="+", type=pathlib.Path, help="what `python -m benchmarks` printed")
        if name == "plot":
            parser.add_argument("--output", type=pathlib.Path, required=True)
        parser.set_defaults(command=_table if name == "table" else _plot)
    else:
        _add_measuring(parser)
    return parser.parse_args(arguments)


def _add_measuring(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all unless named")
    _add_turns(parser, None)
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--output", type=pathlib.Path, help="folder for results.jsonl and the plots")
    parser.add_argument(
        "--python", action="append", default=[], metavar="LIBRARY=PATH",
        help=f"the Python that has a peer's library ({', '.join(LIBRARIES)}), where it is not this one",
    )  # fmt: skip
    parser.set_defaults(command=_measure)


def _add_turns(parser: argparse.ArgumentParser, sizes: Sequence[str] | None) -> None:
    shown = "each benchmark's own" if sizes is None else " ".join(sizes)
    parser.add_argument("--size", nargs="+", choices=list(SIZES), default=sizes, help=f"instead of {shown}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--core", type=int, default=_last_core(), help="the core that all contenders take turns on")


def _compare(args: argparse.Namespace) -> int:
    for name in args.names:
        if name not in compare.SPECS:
            raise UserError(f"compare {name!r}: expected some of {', '.join(compare.SPECS)}")
    setting = runner.Setting(args.core, _at_least_one(args.rounds))
    for record in compare.records(args.names or list(compare.SPECS), args.size, args.old, setting):
        print(json.dumps(record), flush=True)
    return 0


def _measure(args: argparse.Namespace) -> int:
    setting = runner.Setting(args.core, _at_least_one(args.rounds), _pythons(args.python), args.device)
    names = args.names or [name for name, each in BENCHMARKS.items() if each.sizes_on(args.device)]
    for name in names:
        if name not in BENCHMARKS:
            known = ", ".join([*BENCHMARKS, "demo", "memory", "table", "plot"])
            raise UserError(f"benchmark {name!r} is unknown: expected some of {known}")
        if not BENCHMARKS[name].sizes_on(args.device):
            raise UserError(f"benchmark {name!r} is for the CPU alone: leave out --device {args.device}")
    found = []
    for record in _records(names, args.size, setting):
        print(json.dumps(record), flush=True)
        found.append(record)
        if args.output:
            args.output.mkdir(parents=True, exist_ok=True)
            files.write_text(args.output / "results.jsonl", "".join(json.dumps(each) + "\n" for each in found))
    if args.output:
        plots.write(found, args.output)
    return int(any("failed" in record or record.get("ok") is False for record in found))


def _records(names: Sequence[str], sizes: Sequence[str] | None, setting: runner.Setting) -> Iterator[Record]:
    with contextlib.ExitStack() as stack:
        folders: dict[str, str] = {}
        for name in names:
            for size in sizes or BENCHMARKS[name].sizes_on(setting.device):
                if size not in folders:
                    folders[size] = stack.enter_context(tempfile.TemporaryDirectory())
                    _export(size, folders[size])
                for group in BENCHMARKS[name].groups(Task.usual(size, folders[size], setting.device)):
                    yield from (runner.check if name == "check" else runner.measure)(group, setting)


def _export(size: str, folder: str) -> None:
    # The GPU is the contenders'.
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    # Not imported above: it imports jax, which a table or a plot does not need.
    from benchmarks.ours.export import export

    export(size, pathlib.Path(folder), for_peers=True)


def _demo(args: argparse.Namespace) -> int:
    for record in demo.records(args.run):
        print(json.dumps(record))
    return 0


def _memory(args: argparse.Namespace) -> int:
    # Not imported above: it imports jax.
    from benchmarks import memory

    for record in memory.records():
        print(json.dumps(record), flush=True)
    return 0


def _table(args: argparse.Namespace) -> int:
    print(table.tables(_read(args.files)), end="")
    return 0


def _plot(args: argparse.Namespace) -> int:
    plots.write(_read(args.files), args.output)
    return 0


def _read(paths: Sequence[pathlib.Path]) -> list[Record]:
    found = []
    for path in paths:
        with files.explain_os_errors(path, "read"):
            found += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return found


def _pythons(pairs: Sequence[str]) -> dict[str, str]:
    pythons = dict(pair.partition("=")[::2] for pair in pairs)
    for library, path in pythons.items():
        if library not in LIBRARIES or not path:
            raise UserError(f"--python {library}={path}: expected LIBRARY=PATH, with one of {', '.join(LIBRARIES)}")
    # Contenders start in the checkout that they run.
    return {library: str(pathlib.Path(path).absolute()) for library, path in pythons.items()}


def _at_least_one(rounds: int) -> int:
    if rounds < 1:
        raise UserError(f"--rounds={rounds}: expected at least 1, and 5 for figures that are reported")
    return rounds


def _last_core() -> int:
    return max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0


if __name__ == "__main__":
    sys.exit(main())
