"""How votes change with the number of samples, up to the paper's 96 a problem.

python experiments/findings/votes.py [RUN ...] [--samples 96] [--size full] [--config.KEY=VALUE ...]

RUN is the folder of a finished run of configs/findings.py, named BASE-SEED. For its test problems the SFT policy writes
the samples, its reward models score them and the oracle labels them, as stages of that run: what is finished is not
made again. Majority, RM-weighted votes and the best by each reward model, by the last step's probability and per step
(search.aggregate), are measured over the first 1, 2, 4, ... samples of a problem and kept as votes/BASE-SEED.json.
Then, and with no RUN alone, it writes of all that is kept votes.csv, a line for each decoding, metric and number of
samples: the mean of the bases' means with its 95 % t interval over bases, and every run's own; the same, each minus
majority's, and per step minus the last step's as votes.md; and a figure of each error.
--config.KEY=VALUE is that of procsup run: config.sample.lanes, config.sample.slots and config.score_batch set speed and
memory, and change no sample and no score.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import finished
import summary
from tables import OVER, estimate, write

from procsup_jax import compilation, files
from procsup_jax.evals import intervals, outcomes
from procsup_jax.evals.join import Joined, join
from procsup_jax.recipes.artefacts import ModelFolder, Problems, Samples
from procsup_jax.recipes.evaluation import Evaluated, Measured, drawn_files, judging
from procsup_jax.recipes.solutions import draw
from procsup_jax.recipes.supervised import sft_policy
from procsup_jax.recipes.uesato2022 import WHOLE_BEFORE
from procsup_jax.report import line_chart, names, svg
from procsup_jax.roster import ORM, PRM, SFT, TEST, rm_of
from procsup_jax.runner.folder import RunFolder
from procsup_jax.runner.graph import Graph
from procsup_jax.runner.stage import Stage
from procsup_jax.searching.aggregate import with_aggregate

EVALUATED = Evaluated(sft_policy(), {kind: ModelFolder(rm_of(SFT, kind)) for kind in (ORM, PRM)})
TITLES = {summary.FAE: "Final-answer error", summary.TE: "Trace error"}
PER_STEP = "_per_step"
Key = tuple[str, str, int]  # decoding, metric and number of samples


def main(argv: Sequence[str] | None = None) -> None:
    """Measure the runs given, and put together what is kept."""
    parser = finished.parser(__doc__)
    parser.add_argument("--samples", type=int, default=96, help="of each problem, the most that a vote sees")
    args, changes = finished.parse(parser, argv)
    compilation.announce()
    for run in args.runs:
        found = measure(finished.folder(run, args.size, changes), args.samples)
        files.write_text(args.output / "votes" / f"{run.resolve().name}.json", json.dumps(found, indent=1) + "\n")
    runs = finished.kept(args.output / "votes")
    collect(runs, args.output)
    print(f"{len(runs)} runs; votes.csv, votes.md and figures are in {args.output}")


def measure(folder: RunFolder, num_samples: int) -> dict[str, Any]:
    """Return the numbers of samples, how many problems are voted on, and the errors by decoding and metric."""
    counts = [*(2**i for i in range(num_samples.bit_length()) if 2**i < num_samples), num_samples]
    problems = Problems(TEST)
    samples = Samples.of(SFT, problems, "votes")
    drawn = drawn_files(folder.settings, EVALUATED, problems, [samples])

    def stages() -> Iterator[Stage]:
        yield draw(samples, EVALUATED.policy, problems, num_samples)
        yield from judging(EVALUATED, drawn)

    folder.run(Graph.of(stages(), WHOLE_BEFORE))
    measured = drawn.read(folder)
    return {
        "samples": counts, "n": len(measured.problems), "decoding": _measure(measured, counts, folder.settings.seed),
    }  # fmt: skip


def _measure(measured: Measured, counts: Sequence[int], seed: int) -> dict[str, dict[str, list[float | None]]]:
    joined = join(measured.problems, measured.samples, measured.scores, measured.labels)
    per_step = {
        rm: {score.key: score for score in with_aggregate(scores.values(), "per_step")}
        for rm, scores in joined.scores.items()
    }
    rooted = dataclasses.replace(joined, scores=per_step)
    found: dict[str, dict[str, list[float | None]]] = {}
    for count in counts:
        chosen = _outcomes(joined, count, seed)
        chosen |= {f"{name}{PER_STEP}": of for name, of in _outcomes(rooted, count, seed).items() if _is_best(name)}
        for decoding, seen in chosen.items():
            for metric, error_b in ((summary.FAE, seen.error_b), (summary.TE, seen.trace_b)):
                value = intervals.proportion(error_b).value
                found.setdefault(decoding, {}).setdefault(metric, []).append(value)
    return found


def _outcomes(joined: Joined, count: int, seed: int) -> dict[str, outcomes.Outcomes]:
    first = {uid: samples[:count] for uid, samples in joined.drawn.items()}
    return outcomes.measure_all(dataclasses.replace(joined, drawn=first), seed)


def _is_best(decoding: str) -> bool:
    return decoding.endswith("_best")


def collect(runs: Mapping[str, Any], output: pathlib.Path) -> None:
    """Write the tables and figures of what was measured."""
    errors, minus = dict(over_runs(runs)), dict(over_runs(runs, minus="majority"))
    keys = ("decoding", "metric", "samples")
    write(output / "votes.csv", ({**dict(zip(keys, key, strict=True)), **row} for key, row in errors.items()))
    parts = [_table("Errors of the SFT policy, %", errors), _table("Minus majority's, points", minus)]
    if per_step := dict(per_step_minus_last(runs)):
        parts.append(_table("Per step, minus the last step's, points", per_step))
    files.write_text(output / "votes.md", "\n\n".join("\n".join(part) for part in parts) + "\n")
    for metric in summary.METRICS:
        if lines := list(_lines(errors, metric)):
            figure = votes_figure(lines, metric, len(runs))
            files.write_text(output / f"{figure.name}.svg", figure.standalone())


def over_runs(runs: Mapping[str, Any], minus: str | None = None) -> Iterator[tuple[Key, summary.Row]]:
    """Yield each decoding, metric and number of samples, and its error over runs, in %.

    `minus` is a decoding whose error over the same samples is taken off.
    """
    counts = sorted(set.intersection(*(set(run["samples"]) for run in runs.values())))
    first = next(iter(runs.values()))["decoding"]
    for decoding, metric, count in itertools.product((d for d in first if d != minus), summary.METRICS, counts):
        points = {
            name: summary.in_points(*(_error(run, d, metric, count) for d in (decoding, minus) if d))
            for name, run in runs.items()
        }
        yield (decoding, metric, count), summary.over(points, -100.0 if minus else 0.0, 100.0)


def per_step_minus_last(runs: Mapping[str, Any]) -> Iterator[tuple[Key, summary.Row]]:
    """Yield for each choice by what a step leaves of a solution's score how far its error is from the last step's."""
    first = next(iter(runs.values()))["decoding"]
    for chosen in (name for name in first if name.endswith(PER_STEP)):
        for key, row in over_runs(runs, minus=chosen.removesuffix(PER_STEP)):
            if key[0] == chosen:
                yield key, row


def _error(run: Any, decoding: str, metric: str, count: int) -> float | None:
    value: float | None = run["decoding"][decoding][metric][run["samples"].index(count)]
    return value


def _table(title: str, votes: Mapping[Key, summary.Row]) -> Iterator[str]:
    counts = sorted({count for *_, count in votes})
    yield f"## {title}, by the number of samples; {OVER}\n"
    yield f"| decoding | error | {' | '.join(map(str, counts))} |"
    yield "|---|---|" + "---|" * len(counts)
    for decoding, metric in dict.fromkeys((decoding, metric) for decoding, metric, _ in votes):
        cells = (estimate(votes[decoding, metric, count]) for count in counts)
        yield f"| {' | '.join((_label(decoding), TITLES[metric].lower(), *cells))} |"


def votes_figure(lines: Sequence[line_chart.Line], metric: str, num_runs: int) -> svg.Figure:
    """Draw an error over the number of samples, a line for each decoding."""
    return line_chart.line_chart(
        lines,
        names.slug("votes", metric),
        f"SFT's {TITLES[metric].lower()} over the number of samples, means of {num_runs} runs",
        line_chart.Axis("samples of a problem", "log2"),
        line_chart.Axis(f"{TITLES[metric].lower()}, %"),
        tags_right=166.0,
        size=(520.0, 300.0),
    )


def _lines(errors: Mapping[Key, summary.Row], metric: str) -> Iterator[line_chart.Line]:
    for decoding in dict.fromkeys(decoding for decoding, *_ in errors):
        rows = {count: row for (one, measured, count), row in errors.items() if (one, measured) == (decoding, metric)}
        points = [(math.log2(count), row["mean"] / 100) for count, row in rows.items() if row["mean"] is not None]
        if points:
            tag = _label(decoding)
            dash = "dashed" if _is_best(decoding) else "dotted" if "_best_" in decoding else "solid"
            yield line_chart.Line(tag, tag, f"{_colour(decoding)} {dash}", points)


def _label(decoding: str) -> str:
    plain = decoding.removesuffix(PER_STEP)
    return names.decoding(plain) + (", per step" if plain != decoding else "")


def _colour(decoding: str) -> str:
    return {"orm": "orm", "prm": "prm"}.get(decoding.partition("_")[0], "none")


if __name__ == "__main__":
    finished.command(main)
