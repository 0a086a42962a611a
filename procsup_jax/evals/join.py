"""Problems, samples, scores and labels joined on (problem uid, sample, decoding), with every mismatch refused."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from typing import Any, NamedTuple, TypeVar

from procsup_jax import grouping
from procsup_jax.errors import UserError
from procsup_jax.searching import decodings
from procsup_jax.text import answers
from procsup_jax.types import Key, Problem, Sample, Score, StepLabels

T = TypeVar("T")

_SAME_STEPS = "label and score the same samples file, with the same split into steps"


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
) -> Joined:
    """Join the records of one evaluation; `scores` holds those of each judge, by its name.

    Raises `UserError` for duplicates, for samples of unknown problems, problems without samples, scores or labels of
    unknown samples, samples drawn at a temperature without a score, scores that are no probabilities or of more than
    one aggregate, and labels that are outcome labels or count other steps than the scores do.
    """
    by_uid = _unique(problems, lambda problem: problem.uid, lambda problem: f"problem {problem.uid!r}", "problems")
    by_key = _unique(samples, lambda sample: sample.key, _name, "samples")
    if not by_uid or not by_key:
        raise UserError(f"found {len(by_uid)} problems and {len(by_key)} samples, expected at least one of each")
    unknown = [sample for sample in samples if sample.problem_uid not in by_uid]
    _refuse(
        unknown, samples, "samples are of problems that are not given", "give the problems file they were drawn for"
    )
    drawn, single = _split(problems, samples)
    score_maps = {judge: _join_scores(judge, scores[judge], by_key, drawn) for judge in decodings.in_turn(scores)}
    _check_steps(score_maps)
    return Joined(problems, drawn, single, score_maps, _join_labels(labels, by_key, score_maps))


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


def _check_steps(scores: Mapping[str, Mapping[Key, Score]]) -> None:
    """Refuse judges that count different steps of a sample."""
    first: dict[Key, tuple[str, int]] = {}
    for judge, by_key in scores.items():
        other = [s for key, s in by_key.items() if first.setdefault(key, (judge, _num_steps(s)))[1] != _num_steps(s)]
        against = first[other[0].key][0] if other else ""
        _refuse(other, by_key, f"scores by {judge} count other steps than those by {against}", _SAME_STEPS)


def _num_steps(score: Score) -> int:
    return len(score.step_probs)


def _join_scores(
    judge: str, records: Sequence[Score], samples: Mapping[Key, Sample], drawn: Mapping[str, Sequence[Sample]]
) -> dict[Key, Score]:
    decodings.check_judge(judge)
    what, remedy = f"scores by {judge}", "score the samples file that is evaluated (procsup score)"
    by_key = _unique(records, lambda score: score.key, _name, what)
    _refuse([s for s in records if s.key not in samples], records, f"{what} are of samples that are not given", remedy)
    needed = [sample for group in drawn.values() for sample in group]
    _refuse([s for s in needed if s.key not in by_key], needed, f"samples have no score by {judge}", remedy)
    improper = [s for s in records if not all(0 <= prob <= 1 for prob in (s.score, *s.step_probs))]
    _refuse(improper, records, f"{what} are no probabilities from 0 to 1", "write the probability of `correct`")
    rules = sorted({score.aggregate for score in records})
    if len(rules) > 1:
        raise UserError(f"{what} mix the aggregates {', '.join(rules)}, expected one; score all samples with one rule")
    return by_key


def _join_labels(
    labels: Iterable[StepLabels], samples: Mapping[Key, Sample], scores: Mapping[str, Mapping[Key, Score]]
) -> dict[Key, list[StepLabels]]:
    labels = list(labels)
    _unique(
        labels, lambda label: (*label.key, label.rater), lambda label: f"{_name(label)} by {label.rater!r}", "labels"
    )
    unknown = [label for label in labels if label.key not in samples]
    _refuse(unknown, labels, "labels are of samples that are not given", "label the samples file that is evaluated")
    outcome = [label for label in labels if label.source == "outcome"]
    _refuse(outcome, labels, "labels are outcome labels", "give process labels (of an oracle or of people)")
    for judge, by_key in scores.items():
        other = [label for label in labels if label.key in by_key and _num_steps(by_key[label.key]) != label.num_steps]
        _refuse(other, labels, f"labels count other steps than the scores by {judge}", _SAME_STEPS)
    by_sample: dict[Key, list[StepLabels]] = {}
    for label in sorted(labels, key=lambda label: label.rater):
        by_sample.setdefault(label.key, []).append(label)
    split = [group[0] for group in by_sample.values() if len({label.num_steps for label in group}) > 1]
    _refuse(split, by_sample, "labelled samples have raters that count different steps", _SAME_STEPS)
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


def _refuse(bad: Sequence[Sample | Score | StepLabels], all_records: Sized, what: str, remedy: str) -> None:
    if bad:
        raise UserError(f"{len(bad)} of {len(all_records)} {what}, first {_name(bad[0])}; {remedy}")


def _name(record: Sample | Score | StepLabels) -> str:
    decoding = f" ({record.decoding})" if record.decoding else ""
    return f"sample {record.sample}{decoding} of problem {record.problem_uid!r}"
