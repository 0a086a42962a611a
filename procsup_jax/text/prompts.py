"""The text a policy and a reward model read before a solution."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from procsup_jax.errors import UserError
from procsup_jax.types import Problem

# How often examples are drawn anew before it is said that none fit.
MAX_DRAWS = 1000


def problem_prompt(question: str) -> str:
    """Return the prompt of a problem; its solution follows at once."""
    return f"Question: {question}\nSolution:\n"


def n_shot_prompt(question: str, examples: Sequence[Problem]) -> str:
    """Return worked examples, a blank line after each, then the problem's prompt (the paper: 5 examples)."""
    return shots(examples) + problem_prompt(question)


def shots(examples: Sequence[Problem]) -> str:
    """Return what worked examples put before every prompt."""
    return "".join(f"{worked_example(example)}\n\n" for example in examples)


def worked_example(problem: Problem) -> str:
    """Return a problem's prompt with its reference trace; raise `UserError` where it has none."""
    if problem.solution is None:
        raise UserError(
            f'problem {problem.uid!r} has no "solution", which a worked example needs; '
            "give it one or choose the examples among problems that have one"
        )
    return problem_prompt(problem.question) + problem.solution


def choose_examples(
    problems: Sequence[Problem], n: int, seed: int, fit: Callable[[Sequence[Problem]], bool] = lambda _: True
) -> list[Problem]:
    """Return `n` problems drawn at random, without repeats, among those that have a reference trace.

    Where they do not `fit`, others are drawn. Raises `UserError` where fewer than `n` have a trace, and when none of
    MAX_DRAWS draws fit.
    """
    solved = [problem for problem in problems if problem.solution is not None]
    if n > len(solved):
        raise UserError(
            f"{n} worked examples were asked for, but {len(solved)} of {len(problems)} problems have a "
            '"solution"; lower the number or add reference solutions'
        )
    rng = random.Random(seed)
    draws = (rng.sample(solved, n) for _ in range(MAX_DRAWS))
    chosen = next(filter(fit, draws), None)
    if chosen is None:
        raise UserError(
            f"{n} worked examples were asked for, but in {MAX_DRAWS} draws no {n} were short enough for what the model "
            "reads at a time; lower the number, or the room for new tokens"
        )
    return chosen
