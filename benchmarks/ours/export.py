"""Making what all contenders share: a size's weights, drawn at random, and a vocabulary."""

from __future__ import annotations

import pathlib

import jax
import numpy as np

from benchmarks import weights
from benchmarks.workload import SIZES, Task
from procsup_jax.data.worlds import splits
from procsup_jax.models import api
from procsup_jax.text.prompts import worked_example
from procsup_jax.text.vocab import train_vocab

VOCAB_SIZE, NUM_TEXTS = 512, 64


def export(size: str, folder: pathlib.Path) -> None:
    """Write weights.npz and vocab.model of a size into a folder."""
    config = weights.model_config(SIZES[size])
    params = jax.tree.map(np.asarray, dict(api.init_params(config, jax.random.key(0))))
    weights.save(Task(size, str(folder)).weights, config, params)
    texts = [worked_example(problem) for problem in splits.problems("test", NUM_TEXTS)]
    train_vocab(texts, VOCAB_SIZE, str(folder / "vocab.model"), seed=0)
