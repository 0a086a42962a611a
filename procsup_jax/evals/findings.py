"""The paper's four findings as comparisons of a run's figures: the one list of what is compared with what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from procsup_jax import roster
from procsup_jax.evals import agreement
from procsup_jax.searching.decodings import GREEDY, MAJORITY, by

Approach = tuple[str, str]  # policy, decoding
FINAL_ANSWER, TRACE = METRICS = ("final_answer_error", "trace_error")

_ORM_WEIGHTED, _PRM_WEIGHTED = (by(kind, "weighted") for kind in (roster.ORM, roster.PRM))
_FEW_SHOT_ANSWER, _FEW_SHOT_ORM = (
    roster.improved(roster.FEW_SHOT, method) for method in (roster.FINAL_ANSWER_RL, roster.ORM_RL)
)
_SFT_ANSWER, _SFT_ORM, _SFT_PRM = (roster.improved(roster.SFT, method) for method in roster.METHODS)


class Pair(NamedTuple):
    """Hold two approaches whose errors are compared: the first's minus the second's."""

    first: Approach
    second: Approach


class Comparison(NamedTuple):
    """Hold a pair, the finding that it is about, and by which errors."""

    finding: str
    metrics: Sequence[str]
    pair: Pair


# Finding 1: outcome supervision against process supervision, by final-answer error.
WITHOUT_TRACES = Pair((_FEW_SHOT_ANSWER, MAJORITY), (roster.SFT, MAJORITY))
OUTCOME_AGAINST_PROCESS = {
    "reranking": Pair((roster.SFT, _ORM_WEIGHTED), (roster.SFT, _PRM_WEIGHTED)),
    "RL": Pair((_SFT_ORM, _ORM_WEIGHTED), (_SFT_PRM, _PRM_WEIGHTED)),
}
# Finding 3: approaches without a reward model, whose trace error those with one are held against; and the paper's
# headline, rewards compared by policies that are all reranked. A vote by a reward model lowers the trace error by
# itself, so one reranked policy against another's majority says little of how either was trained.
WITHOUT_REWARD_MODEL: Sequence[Approach] = tuple(
    (policy, how) for how in (MAJORITY, GREEDY) for policy in (_FEW_SHOT_ANSWER, _SFT_ANSWER, roster.SFT)
)
EQUALLY_DECODED = (
    Pair((_FEW_SHOT_ORM, _ORM_WEIGHTED), (_FEW_SHOT_ANSWER, _ORM_WEIGHTED)),
    Pair((_SFT_PRM, _PRM_WEIGHTED), (_FEW_SHOT_ANSWER, _ORM_WEIGHTED)),
    *(Pair(process, outcome) for outcome, process in OUTCOME_AGAINST_PROCESS.values()),
)
# Finding 4: reranking against majority voting, RL against a reward model against Final-Answer RL.
RERANKING = tuple(
    Pair((policy, decoding), (policy, MAJORITY))
    for policy, decoding in (
        (roster.SFT, _PRM_WEIGHTED),
        (roster.SFT, _ORM_WEIGHTED),
        (roster.FEW_SHOT, _ORM_WEIGHTED),
    )
)
LEARNING = tuple(
    Pair((policy, MAJORITY), (control, MAJORITY))
    for policy, control in ((_SFT_ORM, _SFT_ANSWER), (_SFT_PRM, _SFT_ANSWER), (_FEW_SHOT_ORM, _FEW_SHOT_ANSWER))
)

# Over runs F1 expects a final-answer error within 5 points; every other row expects the first to have the lower errors.
# The paper has no figure for F3's row of both starts after the same RL, nor for F4's last.
COMPARISONS = (
    Comparison("F1", (FINAL_ANSWER,), WITHOUT_TRACES),
    *(Comparison("F1", (FINAL_ANSWER,), pair) for pair in OUTCOME_AGAINST_PROCESS.values()),
    *(Comparison("F3", (TRACE,), pair) for pair in EQUALLY_DECODED),
    Comparison("F3", (TRACE,), Pair((roster.SFT, MAJORITY), (_FEW_SHOT_ANSWER, MAJORITY))),
    Comparison("F3", (TRACE,), Pair((_SFT_ANSWER, MAJORITY), (_FEW_SHOT_ANSWER, MAJORITY))),
    Comparison("F3", (TRACE,), LEARNING[2]),
    Comparison("F3", (TRACE,), Pair((_FEW_SHOT_ORM, _ORM_WEIGHTED), (_FEW_SHOT_ANSWER, MAJORITY))),
    Comparison("F3", (TRACE,), Pair((roster.SFT, _PRM_WEIGHTED), (_FEW_SHOT_ORM, _ORM_WEIGHTED))),
    Comparison("F3", (TRACE,), Pair((_SFT_PRM, _PRM_WEIGHTED), (_FEW_SHOT_ORM, _ORM_WEIGHTED))),
    *(Comparison("F4", METRICS, pair) for pair in RERANKING[::-1]),
    *(Comparison("F4", METRICS, pair) for pair in LEARNING[:2]),
    Comparison("F4", METRICS, Pair((_SFT_ORM, _ORM_WEIGHTED), (_SFT_ANSWER, MAJORITY))),
    Comparison("F4", METRICS, Pair((_SFT_PRM, _PRM_WEIGHTED), (_SFT_ANSWER, MAJORITY))),
    Comparison("F4", METRICS, Pair((_SFT_ORM, _ORM_WEIGHTED), (_SFT_ANSWER, _ORM_WEIGHTED))),
    Comparison("F4", METRICS, Pair((_SFT_PRM, _PRM_WEIGHTED), (_SFT_ANSWER, _PRM_WEIGHTED))),
)


def greedily(pair: Pair) -> Pair | None:
    """Return what a pair's comparison becomes without any samples: both policies greedy, where they are two.

    A policy's vote, where the second is its majority vote, is held against its one greedy solution. None for two
    reward models' votes of one policy, which is as greedy with the one as with the other.
    """
    (policy, how), (other, other_how) = pair
    if policy != other:
        return Pair((policy, GREEDY), (other, GREEDY))
    return Pair((policy, how), (other, GREEDY)) if other_how == MAJORITY else None


def _paired() -> tuple[Pair, ...]:
    """Return every pair of the comparisons and its greedy one, each once, whichever way round."""
    pairs = [
        WITHOUT_TRACES,
        Pair((_SFT_ORM, _ORM_WEIGHTED), (_SFT_ANSWER, _ORM_WEIGHTED)),
        Pair((_SFT_PRM, _PRM_WEIGHTED), (_SFT_ANSWER, _ORM_WEIGHTED)),
        EQUALLY_DECODED[0],
        *LEARNING[:2],
        Pair(LEARNING[2].second, LEARNING[2].first),
        *OUTCOME_AGAINST_PROCESS.values(),
        *(each.pair for each in COMPARISONS),
    ]
    pairs += [greedy for pair in pairs if (greedy := greedily(pair)) is not None]
    once: dict[frozenset[Approach], Pair] = {}
    for pair in pairs:
        once.setdefault(frozenset(pair), pair)
    return tuple(pair for pair in once.values() if not _against_its_own_majority(pair))


def _against_its_own_majority(pair: Pair) -> bool:
    """Return whether every evaluation measures this pair anyway (`minus_majority`)."""
    (policy, how), (other, other_how) = pair
    return policy == other and MAJORITY in (how, other_how)


# What a run measures with paired intervals, beside every decoding minus its policy's majority.
PAIRED = _paired()


def difference(results: Mapping[str, Any], pair: Pair, metric: str, test_set: str = "test") -> float | None:
    """Return the first's error minus the second's in a run's results, None where either is not known."""
    first, second = (results["models"][policy][test_set]["decoding"][how][metric] for policy, how in pair)
    return None if first is None or second is None else first - second


def emulation(cells: Mapping[str, Mapping[str, float | None]]) -> float | None:
    """Return finding 2: how much more an ORM agrees with process labels than with the outcome labels it learned."""
    row = cells.get(agreement.prediction(roster.ORM), {})
    process, outcome = row.get(agreement.PROCESS_LABEL), row.get(agreement.OUTCOME_LABEL)
    return None if process is None or outcome is None else process - outcome
