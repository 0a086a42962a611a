"""Run the findings' experiment for every base and seed, and put the results together.

python experiments/findings/run.py [--bases shipped RUN ...] [--seeds 0 1] [--workdir runs/findings] [--size full]

A run that was interrupted goes on; what is finished is not run again. Afterwards (and with --collect alone) it writes
results.csv, one line for each run, set, policy, decoding and metric; agreement.csv, one for each cell of the agreement
matrices; findings.csv, one for each comparison that the findings are about: the mean of the runs' differences with a
95 % t interval over runs (bases and seeds), and every run's own, in points, of the first minus the second, over the
same problems; the same as tables.md; and two figures.
"""

from __future__ import annotations

import argparse
import csv
import json
import pathlib
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import figures
import summary
import tables

from procsup_jax import files

HERE = pathlib.Path(__file__).parent


def main() -> None:
    """Run what is missing, then collect."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bases", nargs="+", default=["shipped"], help="shipped, or folders of runs that trained one")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--workdir", type=pathlib.Path, default=pathlib.Path("runs/findings"))
    parser.add_argument("--size", default="full", help="full or tiny")
    parser.add_argument("--output", type=pathlib.Path, default=HERE, help="folder of the two tables")
    parser.add_argument("--collect", action="store_true", help="run nothing, only put together what is finished")
    args = parser.parse_args()
    for base in () if args.collect else args.bases:
        for seed in args.seeds:
            run(base, seed, args.workdir / f"{pathlib.Path(base).name}-{seed}", args.size)
    runs = {path.parent.name: json.loads(path.read_text()) for path in sorted(args.workdir.glob("*/results.json"))}
    if not runs:
        sys.exit(f"no results.json in any folder of {args.workdir}: run without --collect first")
    collect(runs, args.output)
    print(f"{len(runs)} runs; tables and figures are in {args.output}")


def run(base: str, seed: int, folder: pathlib.Path, size: str) -> None:
    """Run one experiment in a process of its own; stop where it fails, so that the same command goes on."""
    config = HERE.parents[1] / "configs" / "findings.py"
    source = base if base == "shipped" else f"{base}/models/base"
    changes = [f"--config.seed={seed}", f"--config.base.source={source}"]
    args = [f"--config={config}:{size}", *changes, f"--workdir={folder}"]
    code = "from procsup_jax.main import console; console()"
    if subprocess.run([sys.executable, "-c", code, "run", *args], check=False).returncode:
        sys.exit(f"the run in {folder} did not finish; the same command goes on where it stopped")


def collect(runs: dict[str, Any], output: pathlib.Path) -> None:
    """Write the tables and figures of finished runs."""
    rows, test = list(summary.findings(runs)), summary.errors(runs)
    write(output / "results.csv", summary.results(runs))
    write(output / "agreement.csv", summary.agreements(runs))
    write(output / "findings.csv", rows)
    tables_text = tables.markdown(test, summary.errors(runs, "ood"), rows, summary.costs(runs))
    files.write_text(output / "tables.md", tables_text)
    for figure in (figures.errors_figure(test, len(runs)), figures.differences_figure(rows)):
        files.write_text(output / f"{figure.name}.svg", figure.standalone())


def write(path: pathlib.Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write a table."""
    table = [{k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()} for row in rows]
    with files.atomic_writer(path) as file:
        writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)


if __name__ == "__main__":
    main()
