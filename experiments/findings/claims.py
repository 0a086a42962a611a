"""What README.md says in figures of its comparisons, computed from the files that are kept here.

Each claim is a piece of text that stands there word for word; check.py compares.
"""

from __future__ import annotations

from collections.abc import Iterator

import base_rates
import summary
from kept import FS, FS_ANSWER, FS_ORM, ORM_VOTE, PRM_VOTE, SFT, Kept, label
from tables import estimate, greedy, number, points, span

from procsup_jax.evals import findings
from procsup_jax.evals.findings import FINAL_ANSWER, TRACE, Pair
from procsup_jax.report import paper_results
from procsup_jax.searching.decodings import GREEDY, MAJORITY

# Lessons of developing PRMs, arXiv 2501.07301, counted by people.
QWEN = "Qwen2.5-Math-7B-Instruct's is 5.1 % on GSM8K"


def claims(kept: Kept) -> Iterator[str]:
    """Yield every piece of text with figures."""
    yield _published()
    yield QWEN
    yield from _comparisons(kept)
    yield from _equal_decoding(kept)
    yield from _greedily(kept)
    yield from _base_rates(kept)
    yield from _process_against_outcome(kept)


def _published() -> str:
    rows = paper_results.TABLE_1
    before = paper_results.PUBLISHED_BEFORE
    own = min(row.final for row in rows), min(row.trace for row in rows if row.trace is not None)
    return (
        f"The best published before it had a final-answer error of {before[FINAL_ANSWER]} % and a trace error of "
        f"{before[TRACE]} %, by its abstract; its own best are {own[0]} and {own[1]}"
    )


def _comparisons(kept: Kept) -> Iterator[str]:
    rows = list(summary.findings(kept.runs))
    for finding, metrics, pair in findings.COMPARISONS:
        found = {
            metric: row
            for metric in metrics
            for row in rows
            if (row["finding"], row["first"], row["second"], row["metric"])
            == (finding, "/".join(pair.first), "/".join(pair.second), metric)
        }
        cells = [finding, label(pair)]
        for metric in (FINAL_ANSWER, TRACE):
            row = found.get(metric)
            cells += ["", ""] if row is None else [estimate(row), points(row["paper"])]
        cells.append(", ".join(estimate(greedy(row)) for row in found.values()))
        cells.append(", ".join(_below(row) for row in found.values()))
        yield f"| {' | '.join(cells)} |"


def _below(row: summary.Row) -> str:
    values = [float(each.rsplit(" ", 1)[1]) for each in row["each"].split("; ")]
    return f"{sum(value < 0 for value in values)}"


def _equal_decoding(kept: Kept) -> Iterator[str]:
    reranked, answer, voted = (FS_ORM, ORM_VOTE), (FS_ANSWER, ORM_VOTE), (FS_ANSWER, MAJORITY)
    paper = points(paper_results.difference(Pair(reranked, answer), TRACE))
    yield f"rows J and F, both reranked, lie {kept.gap(reranked, answer, TRACE)} points apart here and {paper} there"
    yield f"J and B, one reranked and one not, {kept.gap(reranked, voted, TRACE)}"
    yield f"{kept.gap(answer, voted, TRACE)} are the vote's, F minus B"


def _greedily(kept: Kept) -> Iterator[str]:
    yield (
        f"SFT's greedy solutions have a trace error of {kept.error((SFT, GREEDY), TRACE)} %, its ORM-weighted vote "
        f"among 7 samples {kept.error((SFT, ORM_VOTE), TRACE)}, its majority vote {kept.error((SFT, MAJORITY), TRACE)}"
    )
    answer, start = (
        f"{kept.error((policy, GREEDY), TRACE)} greedily and {kept.error((policy, ORM_VOTE), TRACE)} ORM-weighted"
        for policy in (FS_ANSWER, FS)
    )
    yield f"few-shot + Final-Answer RL's {answer}, few-shot's {start}"
    for vote, said in ((ORM_VOTE, "ORM-weighted"), (PRM_VOTE, "PRM-weighted")):
        trace, final = (kept.gap((SFT, vote), (SFT, GREEDY), metric) for metric in (TRACE, FINAL_ANSWER))
        yield f"{said} {trace} points of trace error and {final} of final-answer error"
    greedily = [
        summary.compared(kept.runs, pair, TRACE)
        for each in findings.COMPARISONS
        if TRACE in each.metrics and each.pair.first[0] != each.pair.second[0]
        for pair in [findings.greedily(each.pair)]
        if pair is not None
    ]
    means = sorted(row["mean"] for row in greedily)
    clear = sum(row["hi"] < 0 or row["lo"] > 0 for row in greedily)
    ends = f"{number(means[0])} to {number(means[-1])}"
    yield f"are from {ends} points, and {clear or 'none'} of their intervals leaves 0 out"


def _base_rates(kept: Kept) -> Iterator[str]:
    for what, every, last in base_rates.rows(kept.runs, SFT):
        yield f"| {what} | {span(every)} | {span(last)} |"
    yield constants(kept)
    every, last = (emulation(kept, steps) for steps in base_rates.STEPS)
    yield f"by {every} points over all steps (the paper: {paper_results.emulation():.0f}) and by {last} on last ones"
    last = [row for row in summary.verifiers(kept.runs) if row["measure"] == "auc" and row["labels"] == "right_answer"]
    found = {row["reward_model"]: estimate(row) for row in last}
    yield f"AUC on right answers' traces, {found['sft_orm']} for the ORM"


def constants(kept: Kept) -> str:
    """Return what is said of predictors that say the same of every last step."""
    gap = {name: 100 * base_rates.constant_gap(found["models"][SFT]["test"]) for name, found in kept.runs.items()}
    correct, incorrect = (summary.over({name: sign * value for name, value in gap.items()}) for sign in (1, -1))
    return (
        f"on last steps always saying `correct` has a gap of {estimate(correct)} and always `incorrect` one of "
        f"{estimate(incorrect)}"
    )


def emulation(kept: Kept, steps: str) -> str:
    """Return finding 2's gap."""
    return next(estimate(row) for row in summary.findings(kept.runs) if row["metric"] == f"agreement, {steps}")


def _process_against_outcome(kept: Kept) -> Iterator[str]:
    pair = Pair((SFT, ORM_VOTE), (SFT, PRM_VOTE))
    yield (
        f"the ORM-weighted vote is {estimate(summary.compared(kept.runs, pair, FINAL_ANSWER))} points above the "
        f"PRM-weighted one in final-answer error, in the paper {points(paper_results.difference(pair, FINAL_ANSWER))}"
    )
    labels = [found["supervision"]["sft_prm"]["step_labels"] for found in kept.runs.values()]
    yield f"{min(labels):,} to {max(labels):,} step labels"
