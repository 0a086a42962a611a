"""Scoring of full samples: texts in, a probability a step out."""

from __future__ import annotations

import numpy as np

from benchmarks import cost
from benchmarks.contender import Made
from benchmarks.ours import model
from benchmarks.workload import Task
from procsup_jax.data.examples import prompt_ids, step_ids
from procsup_jax.decode.score import score_samples
from procsup_jax.text.vocab import Vocab
from procsup_jax.types import Problem, Sample

BATCH_SIZE = 16


def make(task: Task) -> Made:
    """Return the scorer of random texts: one problem, `num_samples` solutions in steps of `step_tokens`."""
    loaded = model.load(task)
    rng = np.random.default_rng(0)
    question = _text(loaded.vocab, rng, task.prompt_len)
    steps = task.new_tokens // task.step_tokens
    problems = [Problem(uid="p0", question=question, answer="0", solution=None)]
    solutions = [
        "\n".join(_text(loaded.vocab, rng, task.step_tokens - 1) for _ in range(steps)) for _ in range(task.num_samples)
    ]
    samples = [Sample("p0", i, solution, None) for i, solution in enumerate(solutions)]
    prompt_len = len(prompt_ids(loaded.vocab, question))
    lengths = [sum(len(ids) for ids in step_ids(loaded.vocab, solution)) for solution in solutions]

    def run() -> dict[str, int]:
        probs = score_samples(*loaded, problems, samples, batch_size=BATCH_SIZE)
        return {"steps": sum(len(each) for each in probs)}

    least = cost.scoring(task.shape, prompt_len, lengths)
    return Made(run, prompt_len + sum(lengths), "tokens", model.versions(), model.THREADS, least)


def _text(vocab: Vocab, rng: np.random.Generator, num_tokens: int) -> str:
    """Return text of about so many tokens, all of them in printable ASCII."""
    pieces = [data.decode() for data in vocab.token_bytes() if data.isascii() and data.decode().isprintable()]
    return "".join(rng.choice([piece for piece in pieces if piece], num_tokens))
