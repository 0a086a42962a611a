"""What this run says about the paper's four findings, in words computed from its figures and nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from procsup_jax import roster
from procsup_jax.evals.agreement import OUTCOME_LABEL, PROCESS_LABEL, prediction
from procsup_jax.evals.emulation import BASELINES
from procsup_jax.evals.findings import (
    EQUALLY_DECODED,
    FINAL_ANSWER,
    LEARNING,
    OUTCOME_AGAINST_PROCESS,
    RERANKING,
    TRACE,
    WITHOUT_REWARD_MODEL,
    Pair,
    greedily,
)
from procsup_jax.evals.findings import emulation as emulated
from procsup_jax.report import evidence, names, paper_results
from procsup_jax.report.evidence import Change, Comparison, Gap, measured, quote
from procsup_jax.report.results import Agreement, Difference, Estimate, Results
from procsup_jax.searching.decodings import MAJORITY

_ORM = prediction(roster.ORM)
SAME = 1e-6  # of two ways to sum the same shares


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


def outcome_against_process(results: Results, test_set: str) -> Finding:
    """Return finding 1: reranking by ORM against PRM, and ORM-RL against PRM-RL, by final-answer error."""
    known = {
        what: (pair, change)
        for what, pair in OUTCOME_AGAINST_PROCESS.items()
        if (change := evidence.change(results, pair, test_set)) is not None
    }
    sentences = []
    for pair, _ in known.values():
        a, b = (measured(results, each, FINAL_ANSWER, test_set) for each in pair)
        assert a is not None and b is not None
        sentences.append(
            f"{names.approach(*pair.first)} {quote(a)} against {names.approach(*pair.second)} {quote(b)}"
            f"{evidence.of(a)}."
        )
    gaps = [f"{change.final} by {what}" for what, (_, change) in known.items()]
    return Finding(
        "Outcome against process supervision",
        "Outcome supervision alone reaches a final-answer error close to process supervision’s.",
        f"Outcome minus process: {', '.join(gaps)}" if gaps else None,
        sentences or ["It needs the ORM-weighted and the PRM-weighted vote of one policy, or both kinds of RL."],
        "final-answer error, %",
        evidence.comparisons(results, [a for pair, _ in known.values() for a in pair], FINAL_ANSWER, test_set),
        [change for _, change in known.values()],
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
        paper = paper_results.AGREEMENT_ALL_STEPS if key == "all_steps" else {}
        shares = {
            label: _agreement_with(results, model, test_set, agreement, label)
            for label in (PROCESS_LABEL, OUTCOME_LABEL)
        }
        for judge, estimate in shares.items():
            figure = paper.get((_ORM, judge))
            share_of_paper = None if figure is None else figure / 100
            comparisons.append(Comparison(f"{names.verdict(judge)}s, {where}", "sft_orm_rl", estimate, share_of_paper))
        known = results.models[model][test_set].emulation.get(key, {})
        gaps.append(f"{_gap(gap, known.get(roster.ORM))} ({where})")
        count = "" if agreement.n is None else f" ({agreement.n:,})"
        sentences.append(
            f"On {where}{count} of {names.label(names.MODELS, model)}’s samples the ORM’s prediction agrees with the "
            f"process label in {quote(shares[PROCESS_LABEL])} and with the outcome label it was trained on in "
            f"{quote(shares[OUTCOME_LABEL])}."
        )
        if all(name in known for name in BASELINES):
            always, falling = (str(Gap(g.value, g.lo, g.hi)) for g in map(known.__getitem__, BASELINES))
            sentences.append(
                f"Without knowing anything, saying “correct” of every one has a difference of {always}, and saying "
                f"“incorrect” of the best number of last steps of every solution, as a score that only falls can, one "
                f"of {falling}."
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


def _gap(value: float, measured: Difference | None) -> str:
    """Write a gap, with the interval that was measured of it where there is one."""
    if measured is None or abs(measured.value - value) > SAME:
        return str(Gap(value))
    return str(Gap(value, measured.lo, measured.hi))


def _agreement_with(results: Results, model: str, test_set: str, agreement: Agreement, label: str) -> Estimate:
    """Return the matrix's cell, with the interval that was measured on the very same steps where one was."""
    share = agreement.share[_ORM, label]
    kind = {PROCESS_LABEL: "process", OUTCOME_LABEL: "outcome"}[label]
    with_interval = results.models[model][test_set].verifiers.get(roster.ORM, {}).get(f"agreement.{kind}")
    same = with_interval is not None and (with_interval.value, with_interval.n) == (share, agreement.n)
    return with_interval if same and with_interval is not None else Estimate(share, n=agreement.n)


def low_trace_error(results: Results, test_set: str) -> Finding:
    """Return finding 3: trace error of what was chosen or trained with a reward model against what was not.

    Its table compares rewards at equal decoding: reranked both, and greedily both.
    """
    with_rm = [(row.model, row.decoding) for row in paper_results.TABLE_1 if row.trace and row.decoding != MAJORITY]
    base = [(a, e) for a in WITHOUT_REWARD_MODEL if (e := measured(results, a, TRACE, test_set)) is not None]
    better = [(a, e) for a in with_rm if (e := measured(results, a, TRACE, test_set)) is not None]
    sentences, verdict = [], None
    if base and better:
        reference, at = min(
            (each for each in base if each[0][0] != roster.SFT), key=lambda e: e[1].value, default=base[0]
        )
        below = [estimate for _, estimate in better if estimate.value < at.value]
        apart = [estimate for estimate in below if evidence.separate(estimate, at)]
        verdict = f"{len(below)} of {len(better)} with a reward model lie below {names.approach(*reference)}"
        sentences = [
            f"Without a reward model the trace error is {evidence.span([e for _, e in base])}; with one, by reranking "
            f"or RL, it is {evidence.span([e for _, e in better])}.",
            f"{names.approach(*reference)} has {quote(at)}{evidence.of(at)}; {len(apart)} of {len(better)} lie below "
            "it with intervals apart.",
        ]
    return Finding(
        "What keeps the trace error low?",
        "Low trace error needs process feedback, or a reward model that emulates it; Final-Answer RL leaves it high.",
        verdict,
        sentences or ["It needs labelled steps of solutions chosen with and without a reward model."],
        "trace error, %",
        evidence.comparisons(results, [a for a, _ in (*base, *better)] if verdict else [], TRACE, test_set),
        _known_changes(results, (*EQUALLY_DECODED, *map(greedily, EQUALLY_DECODED)), test_set) if verdict else (),
    )


def _known_changes(results: Results, pairs: Iterable[Pair | None], test_set: str) -> list[Change]:
    """Return the changes of the pairs whose two errors were measured."""
    found = (evidence.change(results, pair, test_set) for pair in pairs if pair is not None)
    return [change for change in found if change is not None]


def reward_models_help(results: Results, test_set: str) -> Finding:
    """Return finding 4: reranking against majority voting, and RL against a reward model against Final-Answer RL.

    Its table has both greedily too; the verdict is of the former alone.
    """
    verdicts: list[str] = []
    changes: list[Change] = []
    for what, pairs in (("reranking", RERANKING), ("RL against a reward model", LEARNING)):
        found = _known_changes(results, pairs, test_set)
        changes += found + _known_changes(results, map(greedily, pairs), test_set)
        if found:
            lower = [change.final for change in found if change.final.value < 0]
            clear = sum(gap.clear for gap in lower)
            verdicts.append(f"in {len(lower)} of {len(found)} by {what} ({clear} beyond chance)")
    return Finding(
        "Do reward models help?",
        "Reward models lower both errors by reranking, and RL against one beats RL on the final answer itself.",
        f"A lower final-answer error {', '.join(verdicts)}" if verdicts else None,
        [] if changes else ["It needs reranking beside majority voting, or RL with and without a reward model."],
        changes=changes,
    )
