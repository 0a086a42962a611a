"""From records to training examples: the one place that knows how a problem and its steps are laid out in tokens.

A document is the prompt's tokens, then each step's tokens followed by its end token: the separator, eos for the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from procsup_jax import grouping
from procsup_jax.data import pack
from procsup_jax.errors import UserError
from procsup_jax.text.prompts import n_shot_prompt, shots
from procsup_jax.text.steps import split_steps
from procsup_jax.text.vocab import Vocab
from procsup_jax.types import Problem, Sample, StepLabels

# Its text, or its steps where they are given.
Solution = str | tuple[str, ...]


def prompt_ids(vocab: Vocab, question: str, examples: Sequence[Problem] = ()) -> list[int]:
    """Return the tokens that a solution of `question` follows: zero-shot, or after worked `examples`."""
    return vocab.encode(n_shot_prompt(question, examples))


def example_ids(vocab: Vocab, examples: Sequence[Problem]) -> list[int]:
    """Return the tokens that worked examples put before every prompt: `prompt_ids` with them starts with these."""
    return vocab.encode(shots(examples))


def step_ids(vocab: Vocab, solution: str | Sequence[str]) -> list[list[int]]:
    """Return each step's tokens, its end token included; the concatenation is the solution as a model reads it.

    A solution is a text, or steps as they are given. An empty one has no steps.
    """
    steps = split_steps(solution) if isinstance(solution, str) else solution
    ends = [*[vocab.sep_id] * len(steps[1:]), vocab.eos_id]
    return [[*vocab.encode(step), end] for step, end in zip(steps, ends, strict=False)]


def document_ids(vocab: Vocab, text: str) -> list[int]:
    """Return a whole document's tokens, eos included."""
    return [*vocab.encode(text), vocab.eos_id]


def solution_examples(vocab: Vocab, pairs: Iterable[tuple[Problem, str]]) -> list[pack.Example]:
    """Make language-model examples of solutions, with loss on the solution only."""
    return [
        pack.lm_example(prompt_ids(vocab, problem.question), [i for ids in step_ids(vocab, solution) for i in ids])
        for problem, solution in pairs
    ]


def label_examples(
    vocab: Vocab, problems: Mapping[str, Problem], samples: Sequence[Sample], labels: Sequence[StepLabels]
) -> list[pack.Example]:
    """Make reward-model examples of labelled samples; equal ones are computed once and weighted by their number.

    Samples of which no step has a label are left out. Raises UserError when nothing is left, or where a sample's steps
    and labels do not correspond.
    """
    labels_by_key = grouping.by_key(labels)
    copies: dict[tuple[str, Solution, tuple[float | None, ...]], list[Sample]] = {}
    for sample in samples:
        label = labels_by_key.get(sample.key)
        if label is not None and any(target is not None for target in label.targets):
            given = sample.solution if sample.steps is None else sample.steps
            copies.setdefault((sample.problem_uid, given, label.targets), []).append(sample)
    if not copies:
        raise UserError(f"none of the {len(samples)} samples has a label: the labels belong to other samples")
    return [
        _label_example(vocab, problems[uid].question, solution, targets, equal)
        for (uid, solution, targets), equal in copies.items()
    ]


def _label_example(
    vocab: Vocab, question: str, solution: Solution, targets: Sequence[float | None], equal: Sequence[Sample]
) -> pack.Example:
    steps = step_ids(vocab, solution)
    if len(steps) != len(targets):
        raise UserError(
            f"sample {equal[0].sample} of problem {equal[0].problem_uid!r} has {len(steps)} steps but {len(targets)} "
            "labels: label the samples file that is trained on, with the same split into steps"
        )
    return pack.rm_example(prompt_ids(vocab, question), steps, targets, weight=float(len(equal)))
