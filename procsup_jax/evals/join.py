"""Problems, samples, scores and labels joined on (problem uid, sample, decoding), with every mismatch refused."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from procsup_jax import grouping
from procsup_jax.errors import UserError
from procsup_jax.evals import consistency
from procsup_jax.evals.consistency import SAME_STEPS, refuse
from procsup_jax.searching import decodings
from procsup_jax.text import answers
from procsup_jax.types import Key, Problem, Sample, Score, StepLabels

T = TypeVar("T")


class TraceVerdict(NamedTuple):
    """Hold the share of raters that see an incorrect step in a solution, whether all of them do, and whether any."""

    mean: float
    all_see: float
    any_sees: float


@dataclasses.dataclass(frozen=True)
class Joined:
    """Hold the records of one evaluation.

    `drawn` holds each problem's samples drawn at a temperature, by index; `single` the one solution that greedy
    decoding or a search (`searching.decodings`) gave each problem, by decoding and uid; `scores` the scores of each
    judge, a reward model by the name that it is given under; `labels` the verdicts of all raters of a sample, by rater.
    """

    problems: Sequence[Problem]
    drawn: Mapping[str, Sequence[Sample]]
    single: Mapping[str, Mapping[str, Sample]]
    scores: Mapping[str, Mapping[Key, Score]]
    labels: Mapping[Key, Sequence[StepLabels]]

    @functools.cached_property
    def right(self) -> frozenset[Key]:
        """Return the keys of the samples whose final answer is right."""
        answer = {problem.uid: problem.answer for problem in self.problems}
        groups = itertools.chain(self.drawn.values(), (of.values() for of in self.single.values()))
        samples = itertools.chain.from_iterable(groups)
        return frozenset(s.key for s in samples if answers.same_answer(s.answer, answer[s.problem_uid]))

    @functools.cached_property
    def trace(self) -> Mapping[Key, TraceVerdict | None]:
        """Return the verdicts on the whole traces of labelled samples, None where no rater's labels decide it."""
        return {key: _trace_verdict(labels) for key, labels in self.labels.items()}


def _trace_verdict(labels: Sequence[StepLabels]) -> TraceVerdict | None:
    wrong = [not label.trace_correct for label in labels if label.trace_correct is not None]
    return TraceVerdict(sum(wrong) / len(wrong), float(all(wrong)), float(any(wrong))) if wrong else None


def join(
    problems: Sequence[Problem],
    samples: Sequence[Sample],
    scores: Mapping[str, Sequence[Score]],
    labels: Iterable[StepLabels],
    separator: str | None = None,
) -> Joined:
    """Join the records of one evaluation; `scores` holds those of each judge, by its name.

    Steps that no sample gives stand between `separator`s, without one between those of a layout that fits all. Raises
    `UserError` for duplicates, for samples of unknown problems, problems without samples, scores or labels of unknown
    samples, samples drawn at a temperature without a score, scores that are no probabilities, of more than one
    aggregate or not the aggregate that they state, labels that are outcome labels or go beyond their steps, and scores
    and labels that count other steps than one another or their sample.
    """
    by_uid = _unique(problems, lambda problem: problem.uid, lambda problem: f"problem {problem.uid!r}", "problems")
    by_key = _unique(samples, lambda sample: sample.key, grouping.name, "samples")
    if not by_uid or not by_key:
        raise UserError(f"found {len(by_uid)} problems and {len(by_key)} samples, expected at least one of each")
    unknown = [sample for sample in samples if sample.problem_uid not in by_uid]
    refuse(unknown, samples, "samples are of problems that are not given", "give the problems file they were drawn for")
    drawn, single = _split(problems, samples)
    score_maps = {judge: _join_scores(judge, scores[judge], by_key, drawn) for judge in decodings.in_turn(scores)}
    consistency.check_same_steps(score_maps)
    labels = list(labels)
    by_sample = _join_labels(labels, by_key, score_maps)
    consistency.check_steps(by_key, score_maps, labels, separator)
    return Joined(problems, drawn, single, score_maps, by_sample)


def keep_joined(
    problems: Sequence[Problem],
    samples: Sequence[Sample],
    scores: Mapping[str, Sequence[Score]],
    labels: Sequence[StepLabels],
) -> tuple[list[Problem], list[Sample], dict[str, list[Score]], list[StepLabels]]:
    """Leave out what bad lines have orphaned, so that the rest can be joined.

    Out go samples drawn at a temperature that lost their score, problems that lost their samples of one kind, and
    all that belongs to either.
    """
    scored = [{score.key for score in records} for records in scores.values()]
    kinds: dict[str | None, set[str]] = {}
    kept = []
    for sample in samples:
        decoding = sample.decoding
        if decoding is not None or all(sample.key in keys for keys in scored):
            kinds.setdefault(decoding, set()).add(sample.problem_uid)
            kept.append(sample)
    kept_problems = [problem for problem in problems if all(problem.uid in uids for uids in kinds.values())]
    uids = {problem.uid for problem in kept_problems}
    kept = [sample for sample in kept if sample.problem_uid in uids]
    keys = {sample.key for sample in kept}
    kept_scores = {rm: [score for score in records if score.key in keys] for rm, records in scores.items()}
    return kept_problems, kept, kept_scores, [label for label in labels if label.key in keys]


def _split(
    problems: Sequence[Problem], samples: Sequence[Sample]
) -> tuple[dict[str, list[Sample]], dict[str, dict[str, Sample]]]:
    drawn = grouping.by_problem(grouping.drawn(samples))
    single: dict[str, dict[str, Sample]] = {}
    for sample in samples:
        decodings.check(sample)
        decoding = sample.decoding
        if (
            decoding is not None
            and single.setdefault(decoding, {}).setdefault(sample.problem_uid, sample) is not sample
        ):
            raise UserError(f"problem {sample.problem_uid!r} has two {decoding} solutions, expected one; leave one out")
    parts = {"samples": drawn.keys(), **{f"{name} solution": of.keys() for name, of in single.items()}}
    for what, uids in parts.items():
        without = [problem.uid for problem in problems if uids and problem.uid not in uids]
        if without:
            raise UserError(
                f"{len(without)} of {len(problems)} problems have no {what}, first {without[0]!r}; "
                "sample them too, or give only the problems that were sampled"
            )
    return drawn, single


def _join_scores(
    judge: str, records: Sequence[Score], samples: Mapping[Key, Sample], drawn: Mapping[str, Sequence[Sample]]
) -> dict[Key, Score]:
    decodings.check_judge(judge)
    what, remedy = f"scores by {judge}", "score the samples file that is evaluated (procsup score)"
    by_key = _unique(records, lambda score: score.key, grouping.name, what)
    refuse([s for s in records if s.key not in samples], records, f"{what} are of samples that are not given", remedy)
    needed = [sample for group in drawn.values() for sample in group]
    refuse([s for s in needed if s.key not in by_key], needed, f"samples have no score by {judge}", remedy)
    improper = [s for s in records if not all(0 <= prob <= 1 for prob in (s.score, *s.step_probs))]
    refuse(improper, records, f"{what} are no probabilities from 0 to 1", "write the probability of `correct`")
    rules = sorted({score.aggregate for score in records})
    if len(rules) > 1:
        raise UserError(f"{what} mix the aggregates {', '.join(rules)}, expected one; score all samples with one rule")
    consistency.check_aggregates(what, records)
    return by_key


def _join_labels(
    labels: Sequence[StepLabels], samples: Mapping[Key, Sample], scores: Mapping[str, Mapping[Key, Score]]
) -> dict[Key, list[StepLabels]]:
    _unique(
        labels,
        lambda label: (*label.key, label.rater),
        lambda label: f"{grouping.name(label)} by {label.rater!r}",
        "labels",
    )
    unknown = [label for label in labels if label.key not in samples]
    refuse(unknown, labels, "labels are of samples that are not given", "label the samples file that is evaluated")
    outcome = [label for label in labels if label.source == "outcome"]
    refuse(outcome, labels, "labels are outcome labels", "give process labels (of an oracle or of people)")
    consistency.check_labels(labels, scores)
    by_sample: dict[Key, list[StepLabels]] = {}
    for label in sorted(labels, key=lambda label: label.rater):
        by_sample.setdefault(label.key, []).append(label)
    split = [group[0] for group in by_sample.values() if len({label.num_steps for label in group}) > 1]
    refuse(split, by_sample, "labelled samples have raters that count different steps", SAME_STEPS)
    return by_sample


def _unique(records: Iterable[T], key: Callable[[T], Any], name: Callable[[T], str], what: str) -> dict[Any, T]:
    by_key: dict[Any, T] = {}
    twice = []
    for record in records:
        if key(record) in by_key:
            twice.append(record)
        by_key[key(record)] = record
    if twice:
        remedy = "give each once, and each rater a name" if what == "labels" else "give each once"
        raise UserError(f"{len(twice)} {what} are given twice, first {name(twice[0])}; {remedy}")
    return by_key
