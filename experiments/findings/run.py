"""Run the findings' experiment for every base and seed, and put the results together.

python experiments/findings/run.py [--bases shipped FOLDER ...] [--seeds 0 1] [--workdir runs/findings] [--size full]

Without --bases: the shipped one and those in bases/. --seeds are the first base's; the next one's are 10 on, and so
forth, for a seed draws the problems too, and no two runs are to share them. A run that was interrupted goes on. A
finished one's results.json is kept as runs/BASE-SEED.json, and what is there is not run again. Afterwards (and with
--collect alone) it writes results.csv, one line for each run, set, policy, decoding and metric; agreement.csv, one for
each cell of the agreement matrices; reward_models.csv, one for each reward model and measure; findings.csv, one for
each comparison that the findings are about, of the first minus the second over the same problems, in points: the mean
of the bases' means with its 95 % t interval over bases, every run's own, the paper's, and the same by greedy solutions;
all of it as tables.md; and the figures.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import queue
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import figures
import pooled
import summary
import tables

from procsup_jax import files

HERE = pathlib.Path(__file__).parent
BASES, SHIPPED = HERE / "bases", "shipped"
SEEDS_A_BASE = 10


def main() -> None:
    """Run what is missing, then collect."""
    args = parse()
    kept: pathlib.Path = args.output / "runs"
    if not args.collect:
        run_all(args, kept)
    runs = summary.read(kept)
    if not runs:
        sys.exit(f"no results of a run in {kept}: run without --collect first")
    collect(runs, args.output)
    print(f"{len(runs)} runs; tables and figures are in {args.output}")


def parse() -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bases", nargs="+", help="shipped, folders of models, or of runs that trained one")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1], choices=range(SEEDS_A_BASE), metavar="0..9")
    parser.add_argument("--workdir", type=pathlib.Path, default=pathlib.Path("runs/findings"))
    parser.add_argument("--size", default="full", help="full or tiny")
    parser.add_argument("--at_once", type=int, default=1, help="runs side by side, each on its share of the cores")
    parser.add_argument("--output", type=pathlib.Path, help="folder of the tables; beside this file, tiny: the workdir")
    parser.add_argument("--collect", action="store_true", help="run nothing, only put together what is finished")
    args = parser.parse_args()
    if args.at_once < 1:
        parser.error(f"--at_once={args.at_once}: expected at least 1")
    args.bases = args.bases or [SHIPPED, *(str(model.parent) for model in sorted(BASES.glob("*/params.safetensors")))]
    args.output = args.output or (HERE if args.size == "full" else args.workdir)
    return args


def run_all(args: argparse.Namespace, kept: pathlib.Path) -> None:
    """Run what is not kept yet; where one fails no further ones start, and the same command goes on from there."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    shares = queue.SimpleQueue[list[int]]()
    for i in range(args.at_once):
        shares.put(cores[i :: args.at_once] if args.at_once <= len(cores) else cores)
    failed = threading.Event()

    def one(base: str, seed: int) -> None:
        name = f"{pathlib.Path(base).name}-{seed}"
        if failed.is_set() or (kept / f"{name}.json").exists():
            return
        share = shares.get()
        if not run(base, seed, args.workdir / name, args.size, share, quiet=args.at_once > 1):
            failed.set()
            sys.exit(f"the run in {args.workdir / name} did not finish; the same command goes on where it stopped")
        shares.put(share)
        kept.mkdir(parents=True, exist_ok=True)
        files.write_text(kept / f"{name}.json", (args.workdir / name / "results.json").read_text())

    with ThreadPoolExecutor(args.at_once) as threads:
        # Every base once before any a second time: intervals need bases first.
        seeded = [(base, seed + SEEDS_A_BASE * i) for seed in args.seeds for i, base in enumerate(args.bases)]
        for done in [threads.submit(one, *base_and_seed) for base_and_seed in seeded]:
            done.result()


def run(base: str, seed: int, folder: pathlib.Path, size: str, cores: list[int], *, quiet: bool) -> bool:
    """Run one experiment in a process of its own, on these cores, and tell whether it finished."""
    config = HERE.parents[1] / "configs" / "findings.py"
    trained = pathlib.Path(base) / "models/base"
    changes = [f"--config.seed={seed}", f"--config.base.source={trained if trained.exists() else base}"]
    args = [f"--config={config}:{size}", *changes, f"--workdir={folder}"]
    pin = f"import os; os.sched_setaffinity(0, {cores}); " if cores else ""
    command = [sys.executable, "-c", f"{pin}from procsup_jax.console import console; console()", "run", *args]
    if not quiet:
        return subprocess.run(command, check=False).returncode == 0
    folder.mkdir(parents=True, exist_ok=True)
    # With its end of line in one piece: print's two would mix with another run's.
    print(f"{folder.name}: started; it says how far it is in {folder / 'log.txt'}\n", end="", flush=True)
    with (folder / "log.txt").open("a") as log:
        return subprocess.run(command, check=False, stdout=log, stderr=log).returncode == 0


def collect(runs: dict[str, Any], output: pathlib.Path) -> None:
    """Write the tables and figures of finished runs."""
    rows, verifiers, test = list(summary.findings(runs)), list(summary.verifiers(runs)), summary.errors(runs)
    tables.write(output / "results.csv", summary.results(runs))
    tables.write(output / "agreement.csv", summary.agreements(runs))
    tables.write(output / "reward_models.csv", verifiers)
    tables.write(output / "findings.csv", rows)
    files.write_text(output / "tables.md", tables.markdown(runs, rows, verifiers, test))
    drawn = [figures.errors_figure(test, len(runs)), figures.differences_figure(rows)]
    for figure in (*drawn, *pooled.agreement_figures(runs), *pooled.selective_figures(runs)):
        files.write_text(output / f"{figure.name}.svg", figure.standalone())


if __name__ == "__main__":
    main()
