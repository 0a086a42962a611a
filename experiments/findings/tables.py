"""The tables of the findings: those that README points to, in Markdown, and any rows as CSV."""

from __future__ import annotations

import csv
import itertools
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import base_rates
import summary

from procsup_jax import files
from procsup_jax.evals.findings import Pair
from procsup_jax.report import names, paper_results
from procsup_jax.roster import APPROACHES, FEW_SHOT, JUDGES, SFT, STARTS, start_of
from procsup_jax.searching.decodings import GREEDY, MAJORITY, by

OVER = "means over bases with 95 % intervals over bases"
DECODINGS = (GREEDY, MAJORITY, *(by(judge, "weighted") for judge in JUDGES))
CHOICES = ("best", "step")
LETTERS = {(row.model, row.decoding): row.letter for row in paper_results.TABLE_1}


def markdown(
    runs: Mapping[str, Any], rows: Sequence[summary.Row], verifiers: Sequence[summary.Row], test: summary.Errors
) -> str:
    """Return every table, under its heading."""
    parts = (
        _comparisons(rows),
        _costs(summary.costs(runs)),
        _verifiers(verifiers),
        _agreement(runs),
        _base_rates(runs),
        _choices(runs),
        _errors("Test set", test),
        _abstention(runs),
        _errors("Out of distribution", summary.errors(runs, "ood")),
        _rewards_out_of_distribution(runs),
    )
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _comparisons(rows: Sequence[summary.Row]) -> Iterator[str]:
    yield f"## Comparisons: points, {OVER}\n"
    yield (
        "Greedy: both policies' greedy solutions compared instead, or one policy's vote with its greedy solution "
        "instead of its majority vote. The paper's: from its Tables 1 and 3.\n"
    )
    yield "| finding | of | first | minus second | difference | the paper's | greedy | the paper's, greedy |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in rows:
        sides = (row[side] if row["finding"] == "F2" else _approach(row[side]) for side in ("first", "second"))
        cells = estimate(row), points(row["paper"]), estimate(greedy(row)), points(row["greedy_paper"])
        yield f"| {' | '.join((row['finding'], row['metric'].replace('_', ' '), *sides, *cells))} |"


def greedy(row: summary.Row) -> summary.Row:
    """Return what a comparison becomes greedily, as an estimate."""
    return {key: row[f"greedy_{key}"] for key in ("mean", "lo", "hi")}


def points(difference: float | None) -> str:
    """Write one of the paper's differences, a dash where it has none."""
    return "–" if difference is None else f"{difference:.1f}"


def _base_rates(runs: Mapping[str, Any]) -> Iterator[str]:
    yield f"## What finding 2's gap is without knowing anything: %, points, {OVER}\n"
    yield "| samples of the test set by | | all steps | last step |\n|---|---|---|---|"
    for policy in (SFT, FEW_SHOT):
        for what, every, last in base_rates.rows(runs, policy):
            yield f"| {names.label(names.MODELS, policy)} | {what} | {span(every)} | {span(last)} |"


def span(cell: base_rates.Cell) -> str:
    """Write a value, or the ends that it lies between; a dash where the runs do not keep it."""
    return " to ".join(map(estimate, cell)) or "–"


def _costs(costs: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    yield "## What people gave each policy and reward model\n"
    yield "| | solutions, tokens | final answers, tokens | steps marked |\n|---|---|---|---|"
    for key, cost in costs.items():
        name = names.MODELS.get(key) or names.reward_model(key)
        yield f"| {name} | {cost['solution_tokens']:,} | {cost['answer_tokens']:,} | {cost['step_labels']:,} |"


def _verifiers(rows: Sequence[summary.Row]) -> Iterator[str]:
    yield f"## Reward models and the surprise control on validation problems: %, AUC x 100, {OVER}\n"
    yield "| | agrees: process | agrees: outcome | AUC: process | AUC: outcome | AUC: right answers' traces |"
    yield "|---|---|---|---|---|---|"
    for rm in summary.REWARD_MODELS:
        found = {(row["measure"], row["labels"]): row for row in rows if row["reward_model"] == rm}
        yield f"| {' | '.join((names.reward_model(rm), *(estimate(found[key]) for key in summary.MEASURES)))} |"


def _agreement(runs: Mapping[str, Any]) -> Iterator[str]:
    yield f"## How often they agree on SFT's samples of the test set: %, {OVER}\n"
    yield "| | | all steps | last step |\n|---|---|---|---|"
    for judge, other in itertools.combinations(names.JUDGES, 2):
        cells = (estimate(summary.agreement(runs, steps, judge, other)) for steps in ("all_steps", "last_step"))
        yield f"| {' | '.join((names.JUDGES[judge], names.JUDGES[other], *cells))} |"


def _choices(runs: Mapping[str, Any]) -> Iterator[str]:
    yield f"## Other ways to choose by a reward model, minus its weighted vote, SFT: points, {OVER}\n"
    yield "| | final-answer error | trace error |\n|---|---|---|"
    for judge, how in itertools.product(JUDGES, CHOICES):
        pair = Pair((SFT, by(judge, how)), (SFT, by(judge, "weighted")))
        cells = (estimate(summary.compared(runs, pair, metric)) for metric in summary.METRICS)
        yield f"| {' | '.join((names.decoding(by(judge, how)), *cells))} |"


def _errors(title: str, errors: summary.Errors) -> Iterator[str]:
    yield f"## {title}: errors, %, {OVER}; letters: rows of the paper's Table 1\n"
    yield "| | policy | decoding | final-answer error | trace error | runs |\n|---|---|---|---|---|---|"
    models, decodings = ({key[i] for key in errors} for i in (0, 1))
    for policy in names.in_order(names.MODELS, models):
        for decoding in names.decodings_in_order(decodings):
            final, trace = (errors.get((policy, decoding, metric)) for metric in summary.METRICS)
            if final is not None and trace is not None:
                labels = names.label(names.MODELS, policy), names.decoding(decoding)
                cells = LETTERS.get((policy, decoding), ""), *labels, estimate(final), estimate(trace)
                yield f"| {' | '.join(cells)} | {final['runs']} |"


def _abstention(runs: Mapping[str, Any]) -> Iterator[str]:
    yield f"## Test set: final-answer error after abstaining on the least certain problems, %, {OVER}\n"
    yield "| policy | decoding | " + " | ".join(f"{share:.0%}" for share in summary.ABSTAINED) + " |"
    yield "|---|---|" + "---|" * len(summary.ABSTAINED)
    for row in paper_results.TABLE_1:
        labels = names.label(names.MODELS, row.model), names.decoding(row.decoding)
        found = (summary.selective(runs, row.model, row.decoding, share) for share in summary.ABSTAINED)
        yield f"| {' | '.join((*labels, *map(estimate, found)))} |"


def _rewards_out_of_distribution(runs: Mapping[str, Any]) -> Iterator[str]:
    yield f"## Out of distribution: kinds of RL of one start by one decoding, points, {OVER}\n"
    yield "| first | minus second | decoding | final-answer error | trace error |\n|---|---|---|---|---|"
    for pair in rewards():
        rows = [summary.compared(runs, pair, metric, "ood") for metric in summary.METRICS]
        if rows[0]["runs"]:
            labels = (names.label(names.MODELS, policy) for policy, _ in pair)
            yield f"| {' | '.join((*labels, names.decoding(pair.first[1]), *map(estimate, rows)))} |"


def rewards() -> Iterator[Pair]:
    """Yield every two kinds of RL of one start by one decoding: greedy, majority and RM-weighted."""
    for start in STARTS:
        kinds = [policy for policy in APPROACHES if start_of(policy) == start]
        for (other, policy), how in itertools.product(itertools.combinations(kinds, 2), DECODINGS):
            yield Pair((policy, how), (other, how))


def _approach(key: str) -> str:
    return names.approach(*key.split("/"))


def estimate(row: Mapping[str, Any]) -> str:
    """Return a mean with its interval, as far as there are any."""
    if row["mean"] is None:
        return "–"
    return number(row["mean"]) + ("" if row["lo"] is None else f" [{number(row['lo'])}, {number(row['hi'])}]")


def number(value: float) -> str:
    """Write a number with one decimal, no zero with a sign."""
    written = f"{value:.1f}"
    return "0.0" if written == "-0.0" else written


def write(path: pathlib.Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows of the same keys as CSV."""
    table = [{k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()} for row in rows]
    with files.atomic_writer(path) as file:
        writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
