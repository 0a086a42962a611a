"""What each decoding chose for each problem, and whether its answer and its trace are right."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from procsup_jax import grouping
from procsup_jax.evals.join import Joined
from procsup_jax.searching import decodings, vote
from procsup_jax.searching.vote import Choice
from procsup_jax.text import answers
from procsup_jax.types import Problem, Sample, Score

_Rule = Callable[[Sequence[Sample], Sequence[float]], Choice]
_VOTES: Mapping[str, _Rule] = dict(zip(decodings.VOTES, (vote.rm_weighted, vote.best), strict=True))


@dataclasses.dataclass(frozen=True)
class Outcomes:
    """Hold the verdicts on the solutions that one decoding chose, one for each problem.

    `error_b` is 1 for a wrong final answer, 0 for a right one. `trace_b` is NaN where the answer is wrong or nobody
    judged the trace, else the share of its raters that see an incorrect step; `trace_min_b` is 1 where all of
    them do, `trace_max_b` where any does, which for two raters are the paper's min and max. `num_undecided` counts
    right answers whose labels leave open whether the trace is right. `score_b` is what abstention goes by, None where
    there is nothing to rank by.
    """

    error_b: np.ndarray
    trace_b: np.ndarray
    trace_min_b: np.ndarray
    trace_max_b: np.ndarray
    score_b: tuple[float, ...] | None
    num_undecided: int = 0


def measure_all(joined: Joined, seed: int) -> dict[str, Outcomes]:
    """Return the verdicts on what each decoding chooses, in the order of `decodings.in_order`."""
    return {name: measure(joined, name, choices) for name, choices in choose(joined, seed).items()}


def choose(joined: Joined, seed: int) -> dict[str, list[Choice]]:
    """Return what each decoding that the records allow chooses for each problem, in the order of tables."""
    found: dict[str, list[Choice]] = {}
    if joined.drawn:
        found[decodings.MAJORITY] = [vote.majority(joined.drawn[problem.uid], seed) for problem in joined.problems]
    for judge in joined.scores if joined.drawn else ():
        for how, rule in _VOTES.items():
            found[decodings.by(judge, how)] = _rerank(joined, judge, rule)
    for decoding, solutions in joined.single.items():
        scores = _single_scores(joined, decoding) or {}
        found[decoding] = [
            Choice(sample, sample.answer, scores.get(sample.problem_uid))
            if answers.is_answer(sample.answer)
            else vote.NO_CHOICE
            for sample in (solutions[problem.uid] for problem in joined.problems)
        ]
    judges = *joined.scores, *sorted(filter(None, map(decodings.judge_of, joined.single)))
    return {name: found[name] for name in decodings.in_order(judges) if name in found}


def by_problem(joined: Joined, seed: int) -> dict[str, dict[str, Choice]]:
    """Return what `choose` does by problem and decoding."""
    chosen = choose(joined, seed)
    return {
        problem.uid: {decoding: choices[i] for decoding, choices in chosen.items()}
        for i, problem in enumerate(joined.problems)
    }


def measure(joined: Joined, decoding: str, choices: Sequence[Choice]) -> Outcomes:
    """Return the verdicts on what `decoding` chose; `choices` are those of `choose`, in the order of the problems."""
    right = [choice.sample is not None and choice.sample.key in joined.right for choice in choices]
    traces_3b = np.full((3, len(choices)), np.nan)
    num_undecided = 0
    for i, choice in enumerate(choices):
        if right[i] and choice.sample is not None and choice.sample.key in joined.trace:
            verdict = joined.trace[choice.sample.key]
            if verdict is None:
                num_undecided += 1
            else:
                traces_3b[:, i] = verdict
    ranked = decoding not in joined.single or _single_scores(joined, decoding) is not None
    return Outcomes(
        error_b=1.0 - np.array(right, dtype=float),
        trace_b=traces_3b[0],
        trace_min_b=traces_3b[1],
        trace_max_b=traces_3b[2],
        score_b=tuple(choice.score or 0.0 for choice in choices) if ranked else None,
        num_undecided=num_undecided,
    )


def majority_error(problems: Sequence[Problem], samples: Sequence[Sample], seed: int) -> float:
    """Return the share of problems that majority voting gets wrong; one without samples counts as wrong."""
    return _error(problems, samples, lambda group: vote.majority(group, seed))


def weighted_error(problems: Sequence[Problem], samples: Sequence[Sample], scores: Sequence[Score]) -> float:
    """Return the share of problems that the vote weighted by a reward model's scores of all samples gets wrong."""
    by_key = {score.key: score.score for score in scores}
    return _error(problems, samples, lambda group: vote.rm_weighted(group, [by_key[each.key] for each in group]))


def _error(problems: Sequence[Problem], samples: Sequence[Sample], rule: Callable[[Sequence[Sample]], Choice]) -> float:
    groups = grouping.by_problem(samples)
    wrong = sum(
        not answers.same_answer(rule(groups.get(problem.uid, [])).answer, problem.answer) for problem in problems
    )
    return wrong / len(problems)


def _rerank(joined: Joined, judge: str, rule: _Rule) -> list[Choice]:
    scores = joined.scores[judge]
    return [
        rule(samples, [scores[sample.key].score for sample in samples])
        for samples in (joined.drawn[problem.uid] for problem in joined.problems)
    ]


def _single_scores(joined: Joined, decoding: str) -> dict[str, float] | None:
    """Return what greedy or step-searched solutions are ranked by: votes for the answer, or their own RM's scores.

    None where it is not known for all of them.
    """
    solutions = joined.single[decoding]
    if decoding == decodings.GREEDY:
        return {uid: _share_of_votes(joined, solution) for uid, solution in solutions.items()} if joined.drawn else None
    scores = joined.scores.get(decodings.judge_of(decoding) or "", {})
    if not all(solution.key in scores for solution in solutions.values()):
        return None
    return {uid: scores[solution.key].score for uid, solution in solutions.items()}


def _share_of_votes(joined: Joined, solution: Sample) -> float:
    samples = joined.drawn[solution.problem_uid]
    return sum(answers.same_answer(solution.answer, sample.answer) for sample in samples) / len(samples)
