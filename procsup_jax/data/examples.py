"""From records to training examples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from procsup_jax import grouping
from procsup_jax.data import pack
from procsup_jax.errors import UserError
from procsup_jax.text.encoding import Encoding
from procsup_jax.types import Problem, Sample, StepLabels


def solution_examples(encoding: Encoding, pairs: Iterable[tuple[Problem, Sample]]) -> list[pack.Example]:
    """Make language-model examples of solutions, with loss on the solution only."""
    return [
        pack.lm_example(encoding.prompt_ids(problem.question), encoding.sample(sample).tokens)
        for problem, sample in pairs
    ]


def references(problems: Iterable[Problem]) -> list[tuple[Problem, Sample]]:
    """Return the problems that have a reference solution, each with that."""
    return [(each, Sample(each.uid, 0, each.solution, each.answer)) for each in problems if each.solution]


def label_examples(
    encoding: Encoding, problems: Mapping[str, Problem], samples: Sequence[Sample], labels: Sequence[StepLabels]
) -> list[pack.Example]:
    """Make reward-model examples of labelled samples; equal ones are computed once and weighted by their number.

    Samples of which no step has a label are left out. Raises UserError when nothing is left, or where a sample's steps
    and labels do not correspond.
    """
    labels_by_key = grouping.by_key(labels)
    copies: dict[tuple[str, object, tuple[float | None, ...]], list[Sample]] = {}
    for sample in samples:
        label = labels_by_key.get(sample.key)
        if label is not None and any(target is not None for target in label.targets):
            copies.setdefault((sample.problem_uid, encoding.content(sample), label.targets), []).append(sample)
    if not copies:
        raise UserError(f"none of the {len(samples)} samples has a label: the labels belong to other samples")
    return [
        _label_example(encoding, problems[uid].question, targets, equal) for (uid, _, targets), equal in copies.items()
    ]


def _label_example(
    encoding: Encoding, question: str, targets: Sequence[float | None], equal: Sequence[Sample]
) -> pack.Example:
    solution = encoding.sample(equal[0])
    if len(solution.ends) != len(targets):
        raise UserError(
            f"sample {equal[0].sample} of problem {equal[0].problem_uid!r} has {len(solution.ends)} steps but "
            f"{len(targets)} labels: label the samples file that is trained on, with the same split into steps"
        )
    return pack.rm_example(encoding.prompt_ids(question), *solution, targets, weight=float(len(equal)))
