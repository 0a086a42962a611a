"""What scores and labels have to agree on with their samples and with one another, each breach refused by name."""

from __future__ import annotations

import decimal
from collections.abc import Iterable, Mapping, Sequence, Sized

from procsup_jax import grouping
from procsup_jax.errors import UserError
from procsup_jax.searching.aggregate import AGGREGATES, aggregate
from procsup_jax.text import steps
from procsup_jax.text.layout import LINES, PARAGRAPHS
from procsup_jax.types import Key, Sample, Score, StepLabels

SAME_STEPS = "label and score the same samples file, with the same split into steps"

# By how much equal numbers may differ whose last digits are all written.
_EXACT = 1e-9
_FEWEST_DECIMALS = 2


def refuse(bad: Sequence[Sample | Score | StepLabels], all_records: Sized, what: str, remedy: str) -> None:
    """Raise `UserError` with the number of bad records and the first one's name, if there are any."""
    if bad:
        raise UserError(f"{len(bad)} of {len(all_records)} {what}, first {grouping.name(bad[0])}; {remedy}")


def check_aggregates(what: str, scores: Sequence[Score]) -> None:
    """Refuse scores that are not the aggregate that they state of their step probabilities.

    Both may be rounded: to as many decimals as any of the file has, two at least. Rules of other names are taken as
    they are.
    """
    known = (each for each in scores if each.aggregate in AGGREGATES)
    other = [each for each in known if abs(aggregate(each.step_probs, each.aggregate) - each.score) > _EXACT]
    if other:
        prob_half = _half_unit(prob for each in scores for prob in each.step_probs)
        score_half = _half_unit(each.score for each in scores) + _EXACT
        other = [each for each in other if not _between(each, prob_half, score_half)]
    if other:
        first = other[0]
        found = aggregate(first.step_probs, first.aggregate)
        remedy = (
            f'its "score" is {first.score}, {first.aggregate!r} of its "step_probs" {found:.6g}; score the samples '
            "anew, or state the aggregate that was taken"
        )
        refuse(other, scores, f'{what} are not the "aggregate" of their "step_probs"', remedy)


def _between(score: Score, prob_half: float, score_half: float) -> bool:
    """Say whether a score can be its aggregate with each number moved by half a unit; every rule is monotone."""
    lowest = aggregate([max(0.0, prob - prob_half) for prob in score.step_probs], score.aggregate)
    highest = aggregate([min(1.0, prob + prob_half) for prob in score.step_probs], score.aggregate)
    return lowest - score_half <= score.score <= highest + score_half


def _half_unit(values: Iterable[float]) -> float:
    """Return half a unit in the last decimal that any of the values is written to."""
    decimals = (-int(decimal.Decimal(repr(float(value))).as_tuple().exponent) for value in values)
    return 0.5 * 10.0 ** -max(_FEWEST_DECIMALS, max(decimals, default=0))


def check_same_steps(scores: Mapping[str, Mapping[Key, Score]]) -> None:
    """Refuse judges that count different steps of a sample."""
    first: dict[Key, tuple[str, int]] = {}
    for judge, by_key in scores.items():
        other = [s for key, s in by_key.items() if first.setdefault(key, (judge, _num_steps(s)))[1] != _num_steps(s)]
        against = first[other[0].key][0] if other else ""
        refuse(other, by_key, f"scores by {judge} count other steps than those by {against}", SAME_STEPS)


def check_labels(labels: Sequence[StepLabels], scores: Mapping[str, Mapping[Key, Score]]) -> None:
    """Refuse labels that go beyond the steps they count, or count other steps than the scores do."""
    beyond = [each for each in labels if each.first_error is not None and each.first_error >= max(1, each.num_steps)]
    refuse(beyond, labels, "labels see the first wrong step beyond the last one", "count steps from 0")
    uneven = [each for each in labels if each.steps is not None and len(each.steps) != each.num_steps]
    refuse(uneven, labels, 'labels hold other "steps" than their "num_steps"', "give one value a step")
    for judge, by_key in scores.items():
        other = [each for each in labels if each.key in by_key and _num_steps(by_key[each.key]) != each.num_steps]
        refuse(other, labels, f"labels count other steps than the scores by {judge}", SAME_STEPS)


def check_steps(
    samples: Mapping[Key, Sample],
    scores: Mapping[str, Mapping[Key, Score]],
    labels: Sequence[StepLabels],
    separator: str | None,
) -> None:
    """Refuse scores and labels that count other steps than their sample has.

    A sample's steps are those it gives, else those between `separator`s; without one between the separators of
    whichever layout fits all samples.
    """
    groups: dict[str, Sequence[Score | StepLabels]] = {f"scores by {rm}": [*of.values()] for rm, of in scores.items()}
    groups["labels"] = labels
    separators = (LINES.separator, PARAGRAPHS.separator) if separator is None else (separator,)
    found = []
    for each in separators:
        other_steps = _other_steps(samples, groups, each)
        if other_steps is None:
            return
        found.append(other_steps)
    split, (what, other) = min(zip(separators, found, strict=True), key=lambda one: len(one[1][1]))
    first = other[0]
    num = len(steps.steps_of(samples[first.key], split))
    how = 'its "steps"' if samples[first.key].steps is not None else f"its solution split at {split!r}"
    remedy = f"{_num_steps(first)} are counted, {num} by {how}; {SAME_STEPS} (--layout says which)"
    refuse(other, groups[what], f"{what} count other steps than their samples have", remedy)


def _other_steps(
    samples: Mapping[Key, Sample], groups: Mapping[str, Sequence[Score | StepLabels]], separator: str
) -> tuple[str, list[Score | StepLabels]] | None:
    counts: dict[Key, int] = {}
    for what, records in groups.items():
        other = []
        for each in records:
            if each.key not in counts:
                counts[each.key] = len(steps.steps_of(samples[each.key], separator))
            if counts[each.key] != _num_steps(each):
                other.append(each)
        if other:
            return what, other
    return None


def _num_steps(record: Score | StepLabels) -> int:
    return record.num_steps if isinstance(record, StepLabels) else len(record.step_probs)
