"""`procsup score`: score the steps of samples with a reward model."""

from __future__ import annotations

import pathlib

from procsup_jax import records
from procsup_jax.decode.score import score_samples
from procsup_jax.io.models import read_model
from procsup_jax.search.aggregate import Aggregate, to_scores


def run(
    problems: pathlib.Path,
    samples: pathlib.Path,
    rm: pathlib.Path,
    output: pathlib.Path,
    vocab: pathlib.Path | None = None,
    aggregate: Aggregate = "last",
    batch_size: int = 64,
    skip_bad: bool = False,
) -> None:
    """Write scores.jsonl: the probability of `correct` after each step of every sample, and their aggregate.

    `rm` is the folder of a reward model. `batch_size` sets speed and memory and never changes a score.
    """
    found = records.read_problems(problems, skip_bad=skip_bad)
    given = records.read_samples(samples, problem_uids={problem.uid for problem in found}, skip_bad=skip_bad)
    saved, loaded = read_model(rm, vocab)
    probs = score_samples(saved.config, saved.params, loaded, found, given, batch_size=batch_size)
    records.write_scores(output, to_scores(given, probs, aggregate, str(rm)))
    print(f"{len(given)} solutions scored; written to {output}")
