"""How well a model looks quantities up: teacher-forced accuracy inside the calculator's expressions."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from procsup_jax.data import pack
from procsup_jax.data.examples import references, solution_examples
from procsup_jax.models.model import Model
from procsup_jax.training.programs import programs
from procsup_jax.training.settings import FitSettings
from procsup_jax.types import Problem


def lookup_accuracy(model: Model, problems: Sequence[Problem], seq_len: int, like: FitSettings) -> tuple[float, int]:
    """Return the share of tokens between `<<` and `=` of the reference solutions that the model predicts, and their n.

    Each prediction is the most probable token after the reference so far. These are the places where a number has to
    be found in the story or the steps before. They are counted by the program that validates a fit with the settings
    `like`: where that is compiled, nothing else has to be.
    """
    encoding = model.encoding
    examples = solution_examples(encoding, references(problems))
    packed = pack.pack([_only_expressions(encoding.token_bytes, each) for each in examples], seq_len)
    config = dataclasses.replace(model.config, dropout=like.dropout)
    evaluate = programs(config, None, like.optim, None).evaluate
    means = evaluate(model.params, packed, like.batch_size // like.grad_accum)
    total = int(packed.weights.sum())
    return round(means["accuracy"] * total) / total, total


def _only_expressions(token_bytes: Sequence[bytes], example: pack.Example) -> pack.Example:
    written, inside, weights = b"", False, []
    for read, wanted, weight in zip(example.tokens_l, example.targets_l, example.weights_l, strict=True):
        written = written[-1:] + token_bytes[read]
        opened, closed = written.rfind(b"<<"), written.rfind(b"=")
        inside = bool(weight) and (opened > closed or (inside and closed < 0))
        weights.append(float(inside and b"=" not in token_bytes[wanted]))
    return example._replace(weights_l=np.array(weights, np.float32))
