"""From records to training examples: the one place that knows how a problem and its steps are laid out in tokens.

A document is the prompt's tokens, then each step's tokens followed by its end token: the separator, eos for the last.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping, Sequence

from procsup_jax.data import pack
from procsup_jax.errors import UserError
from procsup_jax.text.prompts import n_shot_prompt, shots
from procsup_jax.text.steps import split_steps
from procsup_jax.text.vocab import Vocab
from procsup_jax.types import Problem, Sample, StepLabels


def prompt_ids(vocab: Vocab, question: str, examples: Sequence[Problem] = ()) -> list[int]:
    """Return the tokens that a solution of `question` follows: zero-shot, or after worked `examples`."""
    return vocab.encode(n_shot_prompt(question, examples))


def example_ids(vocab: Vocab, examples: Sequence[Problem]) -> list[int]:
    """Return the tokens that worked examples put before every prompt: `prompt_ids` with them starts with these."""
    return vocab.encode(shots(examples))


def step_ids(vocab: Vocab, solution: str) -> list[list[int]]:
    """Return each step's tokens, its end token included; the concatenation is the solution as a model reads it.

    An empty solution has no steps.
    """
    steps = split_steps(solution)
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

    Samples without labels are left out. Raises UserError when nothing is left, or where a sample's steps and labels
    do not correspond.
    """
    labels_by_key = {label.key: label for label in labels}
    copies: collections.Counter[tuple[str, str, tuple[bool, ...]]] = collections.Counter()
    for sample in samples:
        label = labels_by_key.get(sample.key)
        if label is not None and label.num_steps:
            copies[sample.problem_uid, sample.solution, label.correct] += 1
    if not copies:
        raise UserError(f"none of the {len(samples)} samples has a label: the labels belong to other samples")
    return [
        pack.rm_example(
            prompt_ids(vocab, problems[uid].question), step_ids(vocab, solution), list(correct), weight=float(count)
        )
        for (uid, solution, correct), count in copies.items()
    ]
