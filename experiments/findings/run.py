"""Run the findings' experiment for every base and seed, and put the results together.

python experiments/findings/run.py [--bases shipped FOLDER ...] [--seeds 0 1] [--workdir runs/findings] [--size full]

A run that was interrupted goes on; what is finished is not run again. Afterwards (and with --collect alone) it writes
results.csv, one line for each run, set, policy, decoding and metric, and findings.csv, one for each comparison that the
findings are about: the mean of the runs' differences with a 95 % t interval over runs (bases and seeds), and every
run's own. Differences are in points, of the first minus the second, over the same problems.
"""

from __future__ import annotations

import argparse
import csv
import json
import pathlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from scipy import stats

from procsup_jax import files

HERE = pathlib.Path(__file__).parent
METRICS = ("final_answer_error", "trace_error")
# (finding, first, second): policies and decodings, the first expected to have the lower error; F1 is expected near 0.
COMPARISONS = (
    ("F1", ("few_shot_final_answer_rl", "majority"), ("sft", "majority")),
    ("F3", ("sft", "majority"), ("few_shot_final_answer_rl", "majority")),
    ("F3", ("few_shot_orm_rl", "majority"), ("few_shot_final_answer_rl", "majority")),
    ("F4", ("few_shot", "orm_weighted"), ("few_shot", "majority")),
    ("F4", ("sft", "orm_weighted"), ("sft", "majority")),
    ("F4", ("sft", "prm_weighted"), ("sft", "majority")),
    ("F4", ("sft_orm_rl", "majority"), ("sft_final_answer_rl", "majority")),
    ("F4", ("sft_prm_rl", "majority"), ("sft_final_answer_rl", "majority")),
    ("F4", ("sft_orm_rl", "orm_weighted"), ("sft_final_answer_rl", "majority")),
    ("F4", ("sft_prm_rl", "prm_weighted"), ("sft_final_answer_rl", "majority")),
)


def main() -> None:
    """Run what is missing, then collect."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bases", nargs="+", default=["shipped"], help="shipped, or folders of base models")
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
    write(args.output / "results.csv", results(runs))
    write(args.output / "findings.csv", findings(runs))
    print(f"{len(runs)} runs; written to {args.output / 'results.csv'} and {args.output / 'findings.csv'}")


def run(base: str, seed: int, folder: pathlib.Path, size: str) -> None:
    """Run one experiment in a process of its own; stop where it fails, so that the same command goes on."""
    config = HERE.parents[1] / "configs" / "findings.py"
    args = [f"--config={config}:{size}", f"--config.seed={seed}", f"--config.base.source={base}", f"--workdir={folder}"]
    code = "from procsup_jax.main import console; console()"
    if subprocess.run([sys.executable, "-c", code, "run", *args], check=False).returncode:
        sys.exit(f"the run in {folder} did not finish; the same command goes on where it stopped")


def results(runs: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield each measured error of each run."""
    for name, found in runs.items():
        for policy, sets in found["models"].items():
            for test_set, measured in sets.items():
                for decoding, row in measured["decoding"].items():
                    for metric in METRICS:
                        lo, hi = row["intervals"].get(metric) or (None, None)
                        yield {
                            "run": name, "set": test_set, "policy": policy, "decoding": decoding, "metric": metric,
                            "value": row[metric], "lo": lo, "hi": hi, "n": measured["n"],
                        }  # fmt: skip


def findings(runs: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield each comparison of the findings, over runs."""
    for finding, first, second in COMPARISONS:
        for metric in METRICS:
            points = {name: difference(found, first, second, metric) for name, found in runs.items()}
            yield {"finding": finding, "first": "/".join(first), "second": "/".join(second), "metric": metric} | over(
                points
            )
    for step in ("all_steps", "last_step"):
        points = {name: emulation(found, step) for name, found in runs.items()}
        what = {"first": "ORM with process labels", "second": "ORM with outcome labels", "metric": f"agreement, {step}"}
        yield {"finding": "F2", **what} | over(points)
    for rm in ("sft_orm", "sft_prm", "sft_surprise_outcome", "sft_surprise_process"):
        for labels in ("process", "outcome", "right_answer"):
            points = {name: in_points(found["reward_models"][rm]["auc"][labels]) for name, found in runs.items()}
            yield {"finding": "AUC x 100", "first": rm, "second": "", "metric": labels} | over(points)


def difference(found: Any, first: Sequence[str], second: Sequence[str], metric: str) -> float | None:
    """Return the first's error minus the second's on the test set, in points."""
    errors = [found["models"][policy]["test"]["decoding"][decoding][metric] for policy, decoding in (first, second)]
    return in_points(*errors)


def emulation(found: Any, step: str) -> float | None:
    """Return the ORM's agreement with process labels minus that with outcome labels on the SFT policy's samples."""
    agrees = found["models"]["sft"]["test"]["agreement"][step]["orm_prediction"]
    return in_points(agrees["prm_label"], agrees["orm_label"])


def in_points(share: float | None, minus: float | None = 0.0) -> float | None:
    """Return a share, or a difference of two, in points; None where one is unknown."""
    return None if share is None or minus is None else 100 * (share - minus)


def over(points: dict[str, float | None]) -> dict[str, Any]:
    """Return the mean over runs, its 95 % t interval (with two runs or more) and every run's value."""
    known = np.array([value for value in points.values() if value is not None])
    row: dict[str, Any] = {"runs": len(known), "mean": known.mean() if len(known) else None, "lo": None, "hi": None}
    if len(known) > 1:
        half = stats.t.ppf(0.975, len(known) - 1) * stats.sem(known)
        row |= {"lo": row["mean"] - half, "hi": row["mean"] + half}
    return {**row, "each": "; ".join(f"{name} {value:.1f}" for name, value in points.items() if value is not None)}


def write(path: pathlib.Path, rows: Iterator[dict[str, Any]]) -> None:
    """Write a table."""
    table = [{k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()} for row in rows]
    with files.atomic_writer(path) as file:
        writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)


if __name__ == "__main__":
    main()
