"""What the main README says of the findings in figures, computed as in claims.py."""

from __future__ import annotations

from collections.abc import Iterator

import summary
from claims import constants, emulation
from claims_further import five_epochs
from kept import FS_ANSWER, ORM_VOTE, PRM_VOTE, SFT, SFT_ANSWER, SFT_ORM, SFT_PRM, SHORT, Kept
from tables import estimate, points

from procsup_jax.evals import findings
from procsup_jax.evals.findings import FINAL_ANSWER, TRACE, Pair
from procsup_jax.report import paper_results
from procsup_jax.searching.decodings import GREEDY, MAJORITY


def claims(kept: Kept) -> Iterator[str]:
    """Yield what the main README says of the findings."""
    for said, pair, metric in _rows():
        other = findings.greedily(pair)
        greedily = "–" if other is None else estimate(summary.compared(kept.runs, other, metric))
        here, paper = kept.gap(*pair, metric), points(paper_results.difference(pair, metric))
        yield f"| {said} | {here} | {paper} | {greedily} |"
    said = (
        "F2: the ORM agrees with process labels, which it never saw, more than with its own outcome labels, all steps"
    )
    yield f"| {said} | {emulation(kept, 'all_steps')} | {points(paper_results.emulation())} | – |"
    yield f"| ... last steps | {emulation(kept, 'last_step')} | – | – |"
    yield constants(kept)
    yield (
        f"SFT's greedy solutions have a TE of {kept.error((SFT, GREEDY), TRACE)} %, its ORM-weighted vote "
        f"{kept.error((SFT, ORM_VOTE), TRACE)}"
    )
    further = five_epochs(kept)
    yield (
        f"After the paper's five epochs instead of two few-shot + Final-Answer RL minus SFT is "
        f"{further[FINAL_ANSWER]} in FAE and {further[TRACE]} in TE"
    )
    yield _cost(kept)
    yield _surprise(kept)


def _rows() -> Iterator[tuple[str, Pair, str]]:
    answer = (SFT_ANSWER, MAJORITY)
    yield "F1: few-shot + Final-Answer RL - SFT, majority: FAE", findings.WITHOUT_TRACES, FINAL_ANSWER
    yield "... SFT, ORM-weighted - PRM-weighted: FAE", Pair((SFT, ORM_VOTE), (SFT, PRM_VOTE)), FINAL_ANSWER
    said = (
        "F3: few-shot + ORM-RL - few-shot + Final-Answer RL, ORM-weighted: TE",
        "... SFT + PRM-RL, PRM-weighted - few-shot + Final-Answer RL, ORM-weighted: TE",
        "... SFT, PRM-weighted - ORM-weighted: TE",
        "... SFT + PRM-RL, PRM-weighted - SFT + ORM-RL, ORM-weighted: TE",
    )
    yield from ((what, pair, TRACE) for what, pair in zip(said, findings.EQUALLY_DECODED, strict=True))
    yield "... SFT - few-shot + Final-Answer RL, majority: TE", Pair((SFT, MAJORITY), (FS_ANSWER, MAJORITY)), TRACE
    for vote, what in ((PRM_VOTE, "F4: SFT, PRM-weighted"), (ORM_VOTE, "... SFT, ORM-weighted")):
        for metric in (FINAL_ANSWER, TRACE):
            yield f"{what} - majority: {SHORT[metric]}", Pair((SFT, vote), (SFT, MAJORITY)), metric
    for policy, what in ((SFT_PRM, "PRM-RL"), (SFT_ORM, "ORM-RL")):
        said_of = f"... SFT + {what} - SFT + Final-Answer RL, majority:"
        yield f"{said_of} FAE", Pair((policy, MAJORITY), answer), FINAL_ANSWER
        yield f"{said_of} TE", Pair((policy, MAJORITY), answer), TRACE


def _surprise(kept: Kept) -> str:
    rows = {
        row["reward_model"]: estimate(row)
        for row in summary.verifiers(kept.runs)
        if (row["measure"], row["labels"]) == ("agreement", "process")
    }
    return (
        f"agrees with process labels in {rows['sft_surprise_process']} % of the steps, the PRM in "
        f"{rows['sft_prm']}, the ORM in {rows['sft_orm']}"
    )


def _cost(kept: Kept) -> str:
    cost = summary.costs(kept.runs)
    few, sft = cost[FS_ANSWER], cost[SFT]
    total = few["solution_tokens"] + few["answer_tokens"]
    return f"{total:,} tokens of labels for {sft['solution_tokens']:,}"
