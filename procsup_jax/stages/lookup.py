"""How well a model looks quantities up: teacher-forced accuracy inside the calculator's expressions."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from procsup_jax.data import pack
from procsup_jax.data.examples import solution_examples
from procsup_jax.data.pipeline import padded_batches
from procsup_jax.io.params import SavedModel
from procsup_jax.models import api
from procsup_jax.text.vocab import Vocab
from procsup_jax.types import Problem

BATCH = 16


def lookup_accuracy(saved: SavedModel, vocab: Vocab, problems: Sequence[Problem], seq_len: int) -> tuple[float, int]:
    """Return the share of tokens between `<<` and `=` of the reference solutions that the model predicts, and their n.

    Each prediction is the most probable token after the reference so far. These are the places where a number has to
    be found in the story or the steps before.
    """
    pairs = [(problem, problem.solution) for problem in problems if problem.solution]
    packed = pack.pack([_only_expressions(vocab, each) for each in solution_examples(vocab, pairs)], seq_len)
    right = total = 0.0
    for batch in padded_batches(packed, BATCH):
        hits, weight = _count(saved.config, saved.params, {name: jnp.asarray(part) for name, part in batch.items()})
        right, total = right + float(hits), total + float(weight)
    return right / total, int(total)


def _only_expressions(vocab: Vocab, example: pack.Example) -> pack.Example:
    [opening], [equals] = vocab.encode("<<"), vocab.encode("=")
    inside, weights = False, []
    for read, wanted, weight in zip(example.tokens_l, example.targets_l, example.weights_l, strict=True):
        inside = bool(weight) and (read == opening or (inside and read != equals))
        weights.append(float(inside and wanted != equals))
    return example._replace(weights_l=np.array(weights, np.float32))


@functools.partial(jax.jit, static_argnums=0)
def _count(config: api.ModelConfig, params: api.Params, batch: dict[str, jax.Array]) -> tuple[jax.Array, jax.Array]:
    hidden_bld = api.hidden(config, params, batch["tokens"], batch["positions"], batch["segments"])
    right_bl = api.unembed(config, params, hidden_bld).argmax(-1) == batch["targets"]
    return (right_bl * batch["weights"]).sum(), batch["weights"].sum()
