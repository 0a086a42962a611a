"""Keep what ablations.py found, and put all that is kept together as ablations.md.

python experiments/findings/ablations_tables.py [RUN ...] [--output FOLDER]

RUN is the folder of a finished run of ablations.py, named BASE-SEED; what is shown of it is kept as
ablations/BASE-SEED.json. Means of the bases' means with their 95 % t intervals over bases.
"""

from __future__ import annotations

import argparse
import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import finished
import summary
from tables import OVER, estimate

from procsup_jax import files
from procsup_jax.report import names
from procsup_jax.roster import JUDGES, ORM, PRM
from procsup_jax.runner.artefacts import Json
from procsup_jax.searching.decodings import GREEDY, MAJORITY, VOTES, by

Runs = Mapping[str, Mapping[str, Any]]
METRICS = summary.METRICS
STEPS = "all_steps", "last_step"
PREDICTORS = {"always_correct": "saying `correct` of every step", "falling": "the best that can only fall"}
WAYS = {
    ORM: "ORM: the reference, 400 problems, products, from SFT", "orm_100": "ORM, 100 problems",
    "orm_800": "ORM, 800 problems", "orm_verdict": "ORM, `verdict`", "orm_base": "ORM from the base",
    PRM: "PRM: the reference, oracle's labels", "prm_100": "PRM, 100 problems", "prm_800": "PRM, 800 problems",
    "prm_verdict": "PRM, `verdict`", "prm_base": "PRM, its ORM from the base",
    "prm_intermediate": "PRM, labels by intermediate values", "prm_few_exact": "PRM, 1,560 exact labels",
    "prm_few": "PRM, 1,560 labels, 8 in 100 moved",
}  # fmt: skip
AGGREGATES = {
    "min": "its smallest", "prod": "their product", "mean": "their mean", "per_step": "the last one's, per step",
}  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    """Keep the runs given, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=pathlib.Path, metavar="RUN")
    parser.add_argument("--output", type=pathlib.Path, default=finished.HERE, help="folder of the tables")
    args = parser.parse_args(argv)
    folder = args.output / "ablations"
    for run in args.runs:
        files.write_text(folder / f"{run.resolve().name}.json", json.dumps(shown(run), indent=1) + "\n")
    runs = finished.kept(folder)
    files.write_text(args.output / "ablations.md", markdown(runs))
    print(f"{len(runs)} runs; ablations.md is in {args.output}")


def shown(run: pathlib.Path) -> dict[str, Any]:
    """Return what the tables show of a finished run."""
    found, aggregates = (Json(name).read(run / name) for name in ("ablations.json", "aggregates.json"))
    by_steps = {steps: found["emulation"][steps]["by"] for steps in STEPS}
    return {
        "decoding": {how: {metric: each[metric] for metric in METRICS} for how, each in found["decoding"].items()},
        "judges": {
            judge: {"auc": each["auc"], "agreement": each["agreement"]}
            for judge, each in found["reward_models"].items()
        },
        "gaps": {
            steps: {who: {key: value for key, value in each.items() if key != "intervals"} for who, each in by.items()}
            for steps, by in by_steps.items()
        },
        "aggregates": aggregates,
    }


def markdown(runs: Runs) -> str:
    """Return every table, under its heading."""
    parts = _votes(runs), _judges(runs), _gaps(runs), _process_against_outcome(runs), _aggregates(runs)
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def ways(runs: Runs) -> dict[str, str]:
    """Return the ways that all runs have, by the judge's name."""
    return {name: way for name, way in WAYS.items() if all(name in each["judges"] for each in runs.values())}


def error(runs: Runs, how: str, metric: str) -> summary.Row:
    """Return a decoding's error over runs, in %."""
    return summary.over({run: summary.in_points(each["decoding"][how][metric]) for run, each in runs.items()}, 0.0)


def minus(runs: Runs, first: str, second: str, metric: str) -> summary.Row:
    """Return one decoding's error minus another's over runs, in points."""
    return summary.over(
        {
            run: summary.in_points(each["decoding"][first][metric], each["decoding"][second][metric])
            for run, each in runs.items()
        }
    )


def worth(runs: Runs, judge: str, measure: str, labels: str) -> summary.Row:
    """Return a judge's AUC, x 100, or agreement, in %, over runs."""
    found = {run: summary.in_points(each["judges"][judge][measure][labels]) for run, each in runs.items()}
    return summary.over(found, 0.0, 100.0)


def gap(runs: Runs, who: str, steps: str, key: str = "gap") -> summary.Row:
    """Return how much more a judge or predictor agrees with process than with outcome labels, in points, over runs."""
    return summary.over({run: summary.in_points(each["gaps"][steps][who][key]) for run, each in runs.items()})


def by_aggregate(runs: Runs, judge: str, vote: str, how: str, metric: str) -> summary.Row:
    """Return a vote's error by another score than the last step's, minus the last step's, in points, over runs."""
    name = by(judge, vote)
    return summary.over(
        {
            run: summary.in_points(each["aggregates"][how][name][metric], each["decoding"][name][metric])
            for run, each in runs.items()
        }
    )


def _votes(runs: Runs) -> Iterator[str]:
    yield f"## Weighted votes: errors, %, and minus the reference's of the same kind, points, {OVER}\n"
    yield "| weighted by | final-answer error | minus the reference's | trace error | minus the reference's | runs |"
    yield "|---|---|---|---|---|---|"
    for how in (GREEDY, MAJORITY):
        final, trace = (error(runs, how, metric) for metric in METRICS)
        yield f"| {how} | {estimate(final)} | | {estimate(trace)} | | {final['runs']} |"
    for judge, way in ways(runs).items():
        how, reference = by(judge, "weighted"), by(judge.partition("_")[0], "weighted")
        cells = []
        for metric in METRICS:
            cells.append(estimate(error(runs, how, metric)))
            cells.append("" if how == reference else estimate(minus(runs, how, reference, metric)))
        yield f"| {' | '.join((way, *cells, str(len(runs))))} |"


def _judges(runs: Runs) -> Iterator[str]:
    yield f"## What they are worth on the test problems' samples: %, AUC x 100, {OVER}\n"
    yield "| | agrees: process | agrees: outcome | AUC: process | AUC: outcome | AUC: right answers' traces |"
    yield "|---|---|---|---|---|---|"
    for judge, way in ways(runs).items():
        yield f"| {' | '.join((way, *(estimate(worth(runs, judge, *key)) for key in summary.MEASURES)))} |"


def _gaps(runs: Runs) -> Iterator[str]:
    yield f"## How much more it agrees with process than with outcome labels: points, {OVER}\n"
    yield "| | all steps | above always `correct` | above the best that can only fall | last steps |"
    yield "|---|---|---|---|---|"
    for judge in (judge for judge in ways(runs) if judge.startswith(ORM)):
        above = (gap(runs, judge, STEPS[0], key) for key in ("gap", "above_always_correct", "above_falling"))
        yield f"| {' | '.join((WAYS[judge], *map(estimate, above), estimate(gap(runs, judge, STEPS[1]))))} |"
    for who, what in PREDICTORS.items():
        first, last = (estimate(gap(runs, who, steps)) for steps in STEPS)
        yield f"| {what} | {first} | | | {last} |"


def _process_against_outcome(runs: Runs) -> Iterator[str]:
    yield f"## The ORM's weighted vote minus the PRM's: points, {OVER}\n"
    yield "| ORM | PRM | final-answer error | trace error |\n|---|---|---|---|"
    for prm in (prm for prm in ways(runs) if prm.startswith(PRM)):
        orm = prm.replace(PRM, ORM, 1)
        orm = orm if orm in WAYS else ORM
        cells = (estimate(minus(runs, by(orm, "weighted"), by(prm, "weighted"), metric)) for metric in METRICS)
        yield f"| {' | '.join((WAYS[orm], WAYS[prm], *cells))} |"


def _aggregates(runs: Runs) -> Iterator[str]:
    yield f"## Other scores of a solution than its last step's probability, minus that: points, {OVER}\n"
    yield "| decoding | score | final-answer error | trace error |\n|---|---|---|---|"
    for judge in JUDGES:
        for vote in VOTES:
            for how, what in AGGREGATES.items():
                cells = (estimate(by_aggregate(runs, judge, vote, how, metric)) for metric in METRICS)
                yield f"| {' | '.join((names.decoding(by(judge, vote)), what, *cells))} |"


if __name__ == "__main__":
    finished.command(main)
