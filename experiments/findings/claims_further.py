"""What README.md says in figures of reward models, further samples and epochs, computed as in claims.py.

What only the log of the testbed has (experiments/testbed/NOTES.md), for its files were not kept, is a quotation: the
piece of text has to stand there too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import epochs
import summary
import votes
from kept import FS_ANSWER, FS_ORM, ORM_VOTE, PRM_VOTE, SFT, SFT_ANSWER, SFT_ORM, SFT_PRM, SHORT, Kept, label
from tables import estimate, number, rewards

from procsup_jax.evals import findings
from procsup_jax.evals.findings import FINAL_ANSWER, TRACE, Approach, Pair
from procsup_jax.report import names, paper_results
from procsup_jax.roster import ORM, PRM
from procsup_jax.searching.decodings import MAJORITY, by

# What the log says in these words, or in its tables.
QUOTED = (
    "34.6, 25.8, 21.3, 19.0 and 17.5 %",
    "81 % of the problems on average (70 to 86 over runs and epochs; PRM-RL's searched ones: 83, 73 to 90)",
    "0.8 [0.3, 1.2] for the ORM's and 1.7 [0.8, 2.7] for the PRM's",
    "0.9 [-1.8, 3.6]",
    "2.5 [-0.2, 5.1]",
)


def claims(kept: Kept) -> Iterator[str]:
    """Yield every piece of text with figures."""
    yield from _reward_models(kept)
    yield from _abstention_and_ood(kept)
    yield from _more_samples(kept)
    yield from _more_epochs(kept)
    yield from _choices(kept)
    yield from _what_does_not_hold(kept)


def _reward_models(kept: Kept) -> Iterator[str]:
    rows = {(row["reward_model"], row["measure"], row["labels"]): row for row in summary.verifiers(kept.runs)}
    named = {
        "PRM": "sft_prm",
        "surprise, process labels": "sft_surprise_process",
        "ORM": "sft_orm",
        "surprise, outcome labels": "sft_surprise_outcome",
    }
    keys = (("agreement", "process"), ("auc", "process"), ("auc", "right_answer"))
    for said, rm in named.items():
        yield f"| {said} | {' | '.join(estimate(rows[(rm, *key)]) for key in keys)} |"

    def above(rm: str, control: str, *path: str) -> str:
        shares = {}
        for name, found in kept.runs.items():
            first, second = (found["reward_models"][each][path[0]][path[1]] for each in (rm, control))
            shares[name] = 100 * (first - second)
        return estimate(summary.over(shares))

    prm, orm = ("sft_prm", "sft_surprise_process"), ("sft_orm", "sft_surprise_outcome")
    yield (
        f"The PRM agrees with process labels {above(*prm, 'agreement', 'process')} points better than the control and "
        f"ranks right answers' traces {above(*prm, 'auc', 'right_answer')} better, the ORM "
        f"{above(*orm, 'agreement', 'process')} and {above(*orm, 'auc', 'right_answer')} better than its own"
    )


def _abstention_and_ood(kept: Kept) -> Iterator[str]:
    def left(how: str) -> list[str]:
        return [number(summary.selective(kept.runs, SFT, how, share)["mean"]) for share in summary.ABSTAINED]

    whole = {how: kept.error((SFT, how), FINAL_ANSWER) for how in (PRM_VOTE, MAJORITY, ORM_VOTE)}
    prm, majority, orm = (left(how) for how in (PRM_VOTE, MAJORITY, ORM_VOTE))
    yield (
        f"SFT's PRM-weighted FAE of {whole[PRM_VOTE]} % falls to {prm[0]}, {prm[1]} and {prm[2]} when 10, 30 and 50 % "
        f"of the problems are left unanswered, majority's of {whole[MAJORITY]} to {majority[0]}, {majority[1]} and "
        f"{majority[2]}, the ORM-weighted one's of {whole[ORM_VOTE]} to {orm[0]}, {orm[1]} and {orm[2]}"
    )
    half = {
        name: 100 * (_selective(found, ORM_VOTE) - _selective(found, MAJORITY)) for name, found in kept.runs.items()
    }
    yield f"majority ranks its own doubt as well as the ORM does ({estimate(summary.over(half))})"
    errors = [row["mean"] for (_, _, metric), row in summary.errors(kept.runs, "ood").items() if metric == FINAL_ANSWER]
    yield f"FAE is {min(errors):.0f} to {max(errors):.0f} %"

    def c(first: Approach, second: Approach, metric: str) -> str:
        return kept.gap(first, second, metric, "ood")

    major = (SFT, MAJORITY)
    yield (
        f"SFT, minus majority: ORM-weighted {c((SFT, ORM_VOTE), major, FINAL_ANSWER)} and TE "
        f"{c((SFT, ORM_VOTE), major, TRACE)}, PRM-weighted {c((SFT, PRM_VOTE), major, FINAL_ANSWER)} and "
        f"{c((SFT, PRM_VOTE), major, TRACE)}"
    )
    clear = [
        (pair, metric)
        for pair in rewards()
        for metric in summary.METRICS
        if (row := summary.compared(kept.runs, pair, metric, "ood"))["lo"] is not None and row["lo"] * row["hi"] > 0
    ]
    assert {(pair.first[0], pair.second[0], metric) for pair, metric in clear} == {(FS_ORM, FS_ANSWER, FINAL_ANSWER)}
    by_how = {pair.first[1]: c(*pair, metric) for pair, metric in clear}
    yield (
        f"few-shot + ORM-RL's FAE is below few-shot + Final-Answer RL's, by majority {by_how[MAJORITY]} and "
        f"ORM-weighted {by_how[ORM_VOTE]}; no other of the {2 * len(_measured_rewards(kept))} intervals leaves 0 out"
    )


def _measured_rewards(kept: Kept) -> list[Pair]:
    return [pair for pair in rewards() if summary.compared(kept.runs, pair, FINAL_ANSWER, "ood")["runs"]]


def _selective(found: Any, how: str) -> float:
    rows = found["models"][SFT]["test"]["decoding"][how]["selective"]
    return next(error for share, error in rows if round(share, 6) == summary.ABSTAINED[-1])


def _more_samples(kept: Kept) -> Iterator[str]:
    minus = dict(votes.over_runs(kept.votes, minus=MAJORITY))
    errors = dict(votes.over_runs(kept.votes))
    for how, metric in ((how, metric) for how in (ORM_VOTE, PRM_VOTE) for metric in summary.METRICS):
        cells = (estimate(minus[how, metric, count]) for count in (2, 8, 32, 96))
        yield f"| {names.decoding(how)}, {SHORT[metric]} | {' | '.join(cells)} |"
    best, per_step = by(ORM, "best"), by(ORM, "best") + votes.PER_STEP
    ratio = dict(votes.per_step_minus_last(kept.votes))
    mean = {how: number(errors[how, FINAL_ANSWER, 96]["mean"]) for how in (best, MAJORITY, per_step)}
    yield (
        f"among 96 its FAE is {mean[best]} %, majority's {mean[MAJORITY]}; per step, as ORM-RL chooses, "
        f"{mean[per_step]} (minus the last step's {estimate(ratio[per_step, FINAL_ANSWER, 8])} among 8, "
        f"{estimate(ratio[per_step, FINAL_ANSWER, 96])} among 96)"
    )


def five_epochs(kept: Kept) -> dict[str, str]:
    """Return what finding 1's comparison is after five epochs, by metric."""
    return {
        metric: estimate(epochs.compared(kept.epochs, kept.runs, findings.WITHOUT_TRACES, metric)) for metric in SHORT
    }


def _more_epochs(kept: Kept) -> Iterator[str]:
    for pair in epochs.COMPARISONS:
        further = {policy for policy, _ in pair}.intersection(epochs.APPROACHES)
        num = sum(further <= found.keys() for found in kept.epochs.values())
        other = findings.greedily(pair)
        assert other is not None
        cells = [
            estimate(epochs.compared(kept.epochs, kept.runs, each, metric))
            for each in (pair, other)
            for metric in SHORT
        ]
        yield f"| {label(pair)} | {num} | {' | '.join(cells)} |"
    answer, orm = (_validation(kept, name) for name in epochs.FROM_FEW_SHOT)
    yield (
        f"({answer[2]} % of the validation problems wrong after two epochs, {answer[5]} after five); ORM-RL does not "
        f"({orm[2]}, {orm[5]})"
    )
    row = epochs.compared(kept.epochs, kept.runs, findings.WITHOUT_TRACES, FINAL_ANSWER)
    most = max(float(each.rsplit(" ", 1)[1]) for each in row["each"].split("; "))
    yield f"With five epochs no run's F1 difference is above {number(most)} points"


def _validation(kept: Kept, name: str) -> list[str]:
    of = {run: found[name]["validation"] for run, found in kept.epochs.items() if name in found}
    num = min(map(len, of.values()))
    return [
        number(summary.over({run: 100 * errors[epoch] for run, errors in of.items()}, 0.0)["mean"])
        for epoch in range(num)
    ]


def _choices(kept: Kept) -> Iterator[str]:
    for judge in (ORM, PRM):
        for how in ("best", "step"):
            pair = Pair((SFT, by(judge, how)), (SFT, by(judge, "weighted")))
            cells = (estimate(summary.compared(kept.runs, pair, metric)) for metric in summary.METRICS)
            what = " - ".join(names.decoding(how) for _, how in pair)
            yield f"| {what} | 7 | {' | '.join(cells)} |"
    ratio = dict(votes.per_step_minus_last(kept.votes))
    for judge, count in ((judge, count) for judge in (ORM, PRM) for count in (8, 96)):
        key = by(judge, "best") + votes.PER_STEP
        cells = (estimate(ratio[key, metric, count]) for metric in summary.METRICS)
        yield f"| best by {judge.upper()}: per step - last step | {count} | {' | '.join(cells)} |"


def _what_does_not_hold(kept: Kept) -> Iterator[str]:
    c = kept.gap
    yield (
        f"ORM-weighted, ORM-RL is at {c((SFT_ORM, ORM_VOTE), (SFT_ANSWER, ORM_VOTE), FINAL_ANSWER)} (FAE) and "
        f"{c((SFT_ORM, ORM_VOTE), (SFT_ANSWER, ORM_VOTE), TRACE)} (TE) of Final-Answer RL, PRM-weighted, PRM-RL at "
        f"{c((SFT_PRM, PRM_VOTE), (SFT_ANSWER, PRM_VOTE), FINAL_ANSWER)} and "
        f"{c((SFT_PRM, PRM_VOTE), (SFT_ANSWER, PRM_VOTE), TRACE)}"
    )
    paper = [paper_results.error((policy, MAJORITY), TRACE) for policy in (FS_ANSWER, SFT)]
    yield f"In the paper the gap is there after five epochs ({paper[0]} and {paper[1]} %)"
    few, sft = (summary.costs(kept.runs)[policy] for policy in (FS_ANSWER, SFT))
    given = few["solution_tokens"] + few["answer_tokens"]
    yield (
        f"few-shot + Final-Answer RL was given {few['solution_tokens']} tokens of a worked example and "
        f"{few['answer_tokens']} of final answers, SFT {sft['solution_tokens']:,} of solutions, "
        f"{sft['solution_tokens'] / given:.0f} times as many"
    )
    majority = [100 * found["models"][SFT]["test"]["decoding"][MAJORITY][FINAL_ANSWER] for found in kept.runs.values()]
    yield f"from {min(majority):.0f} to {max(majority):.0f} % FAE in a run's majority"


def from_the_log(log: str) -> Iterator[str]:
    """Yield what is said of the words that tell traces apart, from the log's table of them."""
    rows = re.findall(r"^\| [a-z]+[_0-9]*-\d+ \| (.*) \|$", log, re.MULTILINE)
    few, wrong_few, sft, wrong_sft = zip(*(row.split(" | ") for row in rows), strict=True)

    def spread(cells: Iterable[str], pattern: str) -> str:
        values = sorted(value for cell in cells for value in re.findall(pattern, cell))
        return f"{_two(values[0])} to {_two(values[-1])}"

    alone, within = ([spread(cells, pattern) for cells in (few, sft)] for pattern in (r"^\.\d{3}", r"\((\.\d{3})\)"))
    bases, tuned = ([float(share) for share in shares] for shares in (wrong_few, wrong_sft))
    yield (
        f"Wrong traces are {min(bases):.0f} to {max(bases):.0f} % of right answers for the bases themselves at T = 1 "
        f"(wanted: 8 to 25), {min(tuned):.0f} to {max(tuned):.0f} % after SFT; a bag of tokens tells them with an AUC "
        f"of {alone[0]} (bases) and {alone[1]} (SFT) where .65 was the limit, and of {within[0]} and {within[1]} "
        "between samples of one problem"
    )


def _two(share: str) -> str:
    # Half up: the log's three digits are exact.
    return f".{(int(share[1:]) + 5) // 10:02d}"
