"""What this run says about the paper's four findings, in words computed from its figures and nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from procsup_jax import roster
from procsup_jax.evals.agreement import OUTCOME_LABEL, PROCESS_LABEL, prediction
from procsup_jax.evals.findings import (
    FINAL_ANSWER,
    LEARNING,
    METRICS,
    OUTCOME_AGAINST_PROCESS,
    RERANKING,
    TRACE,
    WITHOUT_REWARD_MODEL,
    Approach,
)
from procsup_jax.evals.findings import emulation as emulated
from procsup_jax.report import names, paper_results
from procsup_jax.report.results import Decoding, Estimate, Results
from procsup_jax.searching.decodings import MAJORITY

_ORM = prediction(roster.ORM)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Hold a line of a finding's interval plot; `paper` is a share, `model` decides the colour."""

    label: str
    model: str
    estimate: Estimate
    paper: float | None = None


@dataclasses.dataclass(frozen=True)
class Change:
    """Hold how far an approach's errors lie from another's, in words; `trace` is None where it is not known."""

    label: str
    model: str
    final: str
    trace: str | None


@dataclasses.dataclass(frozen=True)
class Finding:
    """Hold a claim of the paper, what this run measured on it, and the outcome in a few words.

    `verdict` is None where the run did not measure it; `sentences` then names what is missing. The interval plot's
    axis starts at `axis_from`.
    """

    title: str
    claim: str
    verdict: str | None
    sentences: Sequence[str]
    metric: str = ""
    comparisons: Sequence[Comparison] = ()
    changes: Sequence[Change] = ()
    axis_from: float = 0.0


def findings(results: Results, test_set: str = "test") -> list[Finding]:
    """Return the paper's four findings with this run's evidence on each."""
    return [
        outcome_against_process(results, test_set),
        emulation(results, test_set),
        low_trace_error(results, test_set),
        reward_models_help(results, test_set),
    ]


def quote(estimate: Estimate) -> str:
    """Write an estimate as `14.1 % [12.3, 16.1]`."""
    written = f"{names.percent(estimate.value)}\u00a0%"
    if estimate.lo is None or estimate.hi is None:
        return written
    return f"{written} [{names.percent(estimate.lo)}, {names.percent(estimate.hi)}]"


def change(results: Results, a: Approach, b: Approach, metric: str, test_set: str) -> str:
    """Write how far `a`'s error lies from `b`'s in points, with its paired interval or else whether theirs overlap."""
    paired = results.differences.get((test_set, a, b, metric))
    if paired is not None:
        return f"{names.points(paired.value)} [{names.points(paired.lo)}, {names.points(paired.hi)}]"
    first, second = (_estimate(results, each, metric, test_set) for each in (a, b))
    if first is None or second is None:
        return names.UNKNOWN
    apart = separate(first, second)
    note = "" if apart is None else " (intervals apart)" if apart else " (intervals overlap)"
    return f"{names.points(first.value - second.value)}{note}"


def separate(a: Estimate, b: Estimate) -> bool | None:
    """Return whether two intervals are disjoint, None where one is unknown."""
    if a.lo is None or a.hi is None or b.lo is None or b.hi is None:
        return None
    return a.hi < b.lo or b.hi < a.lo


def outcome_against_process(results: Results, test_set: str) -> Finding:
    """Return finding 1: reranking by ORM against PRM, and ORM-RL against PRM-RL, by final-answer error."""
    metric = FINAL_ANSWER
    sentences, gaps = [], []
    shown: list[Approach] = []
    for what, (outcome, process) in OUTCOME_AGAINST_PROCESS.items():
        a, b = (_estimate(results, each, metric, test_set) for each in (outcome, process))
        if a is None or b is None:
            continue
        gaps.append(f"{names.points(a.value - b.value)}\u00a0points ({what})")
        shown += [outcome, process]
        sentences.append(
            f"{names.approach(*outcome)} {quote(a)} against {names.approach(*process)} {quote(b)}{_of(a)}; "
            f"difference in points {change(results, outcome, process, metric, test_set)}."
        )
    return Finding(
        "Outcome against process supervision",
        "Outcome supervision alone reaches a final-answer error close to process supervision’s.",
        f"Outcome minus process: {', '.join(gaps)}" if gaps else None,
        sentences or ["It needs the ORM-weighted and the PRM-weighted vote of one policy, or both kinds of RL."],
        "final-answer error, %",
        _comparisons(results, shown, metric, test_set),
    )


def emulation(results: Results, test_set: str) -> Finding:
    """Return finding 2: agreement of the ORM's prediction with process labels against that with outcome labels."""
    sentences, comparisons, gaps = [], [], []
    model = next((m for m in (roster.SFT, roster.FEW_SHOT) if results.agreement(m, test_set)), "")
    for key, agreement in results.agreement(model, test_set).items():
        where = {"all_steps": "all steps", "last_step": "last steps"}.get(key, key)
        row = {label: share for (judge, label), share in agreement.share.items() if judge == _ORM}
        gap = emulated({_ORM: row})
        if gap is None:
            continue
        process, outcome = row[PROCESS_LABEL], row[OUTCOME_LABEL]
        paper = paper_results.AGREEMENT_ALL_STEPS if key == "all_steps" else {}
        for share, judge in ((process, PROCESS_LABEL), (outcome, OUTCOME_LABEL)):
            figure = paper.get((_ORM, judge))
            share_of_paper = None if figure is None else figure / 100
            name = f"{names.verdict(judge)}s, {where}"
            comparisons.append(Comparison(name, "sft_orm_rl", Estimate(share, n=agreement.n), share_of_paper))
        gaps.append(f"{names.points(gap)}\u00a0points ({where})")
        count = "" if agreement.n is None else f" ({agreement.n:,})"
        sentences.append(
            f"On {where}{count} of {names.label(names.MODELS, model)}’s samples the ORM’s prediction agrees with the "
            f"process label in {names.percent(process)} % and with the outcome label it was trained on in "
            f"{names.percent(outcome)} %."
        )
    return Finding(
        "Does the ORM emulate process feedback?",
        "ORM predictions agree with process labels better than with the outcome labels they were trained on.",
        f"Process minus outcome: {', '.join(gaps)}" if gaps else None,
        sentences or ["It needs an ORM’s scores and process labels on the same solutions."],
        "ORM prediction agrees with, %",
        comparisons,
        axis_from=0.5 if all(c.estimate.value >= 0.5 for c in comparisons) else 0.0,
    )


def low_trace_error(results: Results, test_set: str) -> Finding:
    """Return finding 3: trace error of what was chosen or trained with a reward model against what was not."""
    metric = TRACE
    with_rm = [(row.model, row.decoding) for row in paper_results.TABLE_1 if row.trace and row.decoding != MAJORITY]
    base = [(a, e) for a in WITHOUT_REWARD_MODEL if (e := _estimate(results, a, metric, test_set)) is not None]
    better = [(a, e) for a in with_rm if (e := _estimate(results, a, metric, test_set)) is not None]
    sentences, verdict = [], None
    if base and better:
        reference, at = min(
            (each for each in base if each[0][0] != roster.SFT), key=lambda e: e[1].value, default=base[0]
        )
        below = [estimate for _, estimate in better if estimate.value < at.value]
        apart = [estimate for estimate in below if separate(estimate, at)]
        verdict = f"{len(below)} of {len(better)} with a reward model lie below {names.approach(*reference)}"
        sentences = [
            f"Without a reward model the trace error is {_range([e for _, e in base])}; with one, by reranking or RL, "
            f"it is {_range([e for _, e in better])}.",
            f"{names.approach(*reference)} has {quote(at)}{_of(at)}; {len(apart)} of {len(better)} lie below it with "
            f"intervals apart.",
        ]
    return Finding(
        "What keeps the trace error low?",
        "Low trace error needs process feedback, or a reward model that emulates it; Final-Answer RL leaves it high.",
        verdict,
        sentences or ["It needs labelled steps of solutions chosen with and without a reward model."],
        "trace error, %",
        _comparisons(results, [a for a, _ in (*base, *better)] if verdict else [], metric, test_set),
    )


def reward_models_help(results: Results, test_set: str) -> Finding:
    """Return finding 4: reranking against majority voting, and RL against a reward model against Final-Answer RL."""
    verdicts: list[str] = []
    changes: list[Change] = []
    for what, pairs in (("reranking", RERANKING), ("RL against a reward model", LEARNING)):
        measured = [pair for pair in pairs if all(_estimate(results, a, FINAL_ANSWER, test_set) for a in pair)]
        changes += [_change(results, a, b, test_set) for a, b in measured]
        if measured:
            lower = sum(_lower(results, a, b, test_set) for a, b in measured)
            verdicts.append(f"in {lower} of {len(measured)} by {what}")
    told = "Errors of the first minus those of the second, in points, over the same problems."
    return Finding(
        "Do reward models help?",
        "Reward models lower both errors by reranking, and RL against one beats RL on the final answer itself.",
        f"A lower final-answer error {', '.join(verdicts)}" if verdicts else None,
        [told if changes else "It needs reranking beside majority voting, or RL with and without a reward model."],
        changes=changes,
    )


def _change(results: Results, a: Approach, b: Approach, test_set: str) -> Change:
    policy, other = (names.label(names.MODELS, model) for model, _ in (a, b))
    if a[0] == b[0]:
        label = f"{policy}: {names.decoding(a[1])} − {names.decoding(b[1])}"
    else:
        label = f"{policy} − {other.removeprefix('SFT + ').removeprefix('Few-shot + ')}"
    known = all(_estimate(results, each, TRACE, test_set) for each in (a, b))
    final, trace = (change(results, a, b, metric, test_set) for metric in METRICS)
    return Change(label, a[0], final, trace if known else None)


def _lower(results: Results, a: Approach, b: Approach, test_set: str) -> bool:
    first, second = (_estimate(results, each, FINAL_ANSWER, test_set) for each in (a, b))
    return first is not None and second is not None and first.value < second.value


def _metric(found: Decoding | None, metric: str) -> Estimate | None:
    return None if found is None else found.final if metric == FINAL_ANSWER else found.trace


def _estimate(results: Results, approach: Approach, metric: str, test_set: str) -> Estimate | None:
    return _metric(results.decoding(*approach, test_set), metric)


def _comparisons(results: Results, approaches: Sequence[Approach], metric: str, test_set: str) -> list[Comparison]:
    made = []
    for approach in approaches:
        estimate = _estimate(results, approach, metric, test_set)
        row = paper_results.table1_row(*approach)
        paper = None if row is None else row.final if metric == FINAL_ANSWER else row.trace
        if estimate is not None:
            made.append(
                Comparison(names.approach(*approach), approach[0], estimate, None if paper is None else paper / 100)
            )
    return made


def _range(estimates: Sequence[Estimate]) -> str:
    values = sorted(estimate.value for estimate in estimates)
    if len(values) == 1:
        return f"{names.percent(values[0])} %"
    return f"{names.percent(values[0])} to {names.percent(values[-1])} % ({len(values)} approaches)"


def _of(estimate: Estimate) -> str:
    return "" if estimate.n is None else f", n\u00a0=\u00a0{estimate.n:,}"
