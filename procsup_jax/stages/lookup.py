"""How well a model looks quantities up: teacher-forced accuracy inside the calculator's expressions."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from procsup_jax.data import pack
from procsup_jax.data.examples import solution_examples
from procsup_jax.io.params import SavedModel
from procsup_jax.text.vocab import Vocab
from procsup_jax.train.programs import programs
from procsup_jax.train.settings import FitSettings
from procsup_jax.types import Problem


def lookup_accuracy(
    saved: SavedModel, vocab: Vocab, problems: Sequence[Problem], seq_len: int, like: FitSettings
) -> tuple[float, int]:
    """Return the share of tokens between `<<` and `=` of the reference solutions that the model predicts, and their n.

    Each prediction is the most probable token after the reference so far. These are the places where a number has to
    be found in the story or the steps before. They are counted by the program that validates a fit with the settings
    `like`: where that is compiled, nothing else has to be.
    """
    pairs = [(problem, problem.solution) for problem in problems if problem.solution]
    packed = pack.pack([_only_expressions(vocab, each) for each in solution_examples(vocab, pairs)], seq_len)
    config = dataclasses.replace(saved.config, dropout=like.dropout)
    evaluate = programs(config, "lm", None, like.optim, None).evaluate
    means = evaluate(saved.params, packed, like.batch_size // like.grad_accum)
    total = int(packed.weights.sum())
    return round(means["accuracy"] * total) / total, total


def _only_expressions(vocab: Vocab, example: pack.Example) -> pack.Example:
    [opening], [equals] = vocab.encode("<<"), vocab.encode("=")
    inside, weights = False, []
    for read, wanted, weight in zip(example.tokens_l, example.targets_l, example.weights_l, strict=True):
        inside = bool(weight) and (read == opening or (inside and read != equals))
        weights.append(float(inside and wanted != equals))
    return example._replace(weights_l=np.array(weights, np.float32))
