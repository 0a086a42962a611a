"""Scoring of full samples: texts in, a probability a step out."""

from __future__ import annotations

import numpy as np

from benchmarks import cost
from benchmarks.contender import Made
from benchmarks.ours import model
from benchmarks.workload import Task
from procsup_jax.decode.score import score_samples
from procsup_jax.text.tokenizer import Tokenizer
from procsup_jax.types import Problem, Sample

BATCH_SIZE = 16


def make(task: Task) -> Made:
    """Return the scorer of random texts: one problem, `num_samples` solutions in steps of `step_tokens`."""
    rm = model.as_reward_model(model.load(task))
    rng = np.random.default_rng(0)
    question = _text(rm.tokenizer, rng, task.prompt_len)
    steps = task.new_tokens // task.step_tokens
    problems = [Problem(uid="p0", question=question, answer="0", solution=None)]
    solutions = [
        "\n".join(_text(rm.tokenizer, rng, task.step_tokens - 1) for _ in range(steps)) for _ in range(task.num_samples)
    ]
    samples = [Sample("p0", i, solution, None) for i, solution in enumerate(solutions)]
    prompt_len = len(rm.encoding.prompt_ids(question))
    lengths = [len(rm.encoding.solution(solution).tokens) for solution in solutions]

    def run() -> dict[str, int]:
        probs = score_samples(rm, problems, samples, batch_size=BATCH_SIZE)
        return {"steps": sum(len(each) for each in probs)}

    least = cost.scoring(task.shape, prompt_len, lengths)
    return Made(run, prompt_len + sum(lengths), "tokens", model.versions(), model.THREADS, least)


def _text(tokenizer: Tokenizer, rng: np.random.Generator, num_tokens: int) -> str:
    """Return text of about so many tokens, all of them in printable ASCII."""
    pieces = [data.decode() for data in tokenizer.token_bytes() if data.isascii() and data.decode().isprintable()]
    return "".join(rng.choice([piece for piece in pieces if piece], num_tokens))
