"""Prompts and the choice of worked examples."""

import pytest

from procsup_jax.errors import UserError
from procsup_jax.text import prompts
from procsup_jax.types import Problem

PROBLEMS = [Problem(f"p-{i}", f"What is {i}+1?", str(i + 1), f"{i}+1\n#### {i + 1}") for i in range(9)]
UNSOLVED = [Problem(f"u-{i}", "Why?", "0") for i in range(9)]


def test_problem_prompt():
    assert prompts.problem_prompt("How many?") == "Question: How many?\nSolution:\n"


def test_n_shot_prompt_puts_a_blank_line_after_each_example():
    assert prompts.n_shot_prompt("How many?", PROBLEMS[:2]) == (
        "Question: What is 0+1?\nSolution:\n0+1\n#### 1\n\n"
        "Question: What is 1+1?\nSolution:\n1+1\n#### 2\n\n"
        "Question: How many?\nSolution:\n"
    )
    assert prompts.n_shot_prompt("How many?", []) == prompts.problem_prompt("How many?")


def test_examples_are_drawn_by_the_seed_among_the_solved():
    chosen = prompts.choose_examples(UNSOLVED + PROBLEMS, 5, seed=1)
    assert chosen == prompts.choose_examples(UNSOLVED + PROBLEMS, 5, seed=1)
    assert len({p.uid for p in chosen}) == 5 and all(p.solution for p in chosen)
    assert chosen != prompts.choose_examples(UNSOLVED + PROBLEMS, 5, seed=2)


def test_examples_are_drawn_until_they_fit():
    first = prompts.choose_examples(PROBLEMS, 2, seed=1)
    fitting = prompts.choose_examples(PROBLEMS, 2, seed=1, fit=lambda some: PROBLEMS[3] in some)
    assert PROBLEMS[3] not in first and PROBLEMS[3] in fitting
    assert prompts.choose_examples(PROBLEMS, 2, seed=1, fit=lambda some: some == first) == first
    with pytest.raises(UserError, match=r"2 worked examples .* lower the number"):
        prompts.choose_examples(PROBLEMS, 2, seed=1, fit=lambda _: False)


def test_too_few_worked_examples_is_one_clear_line():
    with pytest.raises(UserError, match=r"10 worked examples .* 9 of 18 problems"):
        prompts.choose_examples(UNSOLVED + PROBLEMS, 10, seed=0)
    with pytest.raises(UserError, match=r"'u-0' has no \"solution\""):
        prompts.n_shot_prompt("Why?", UNSOLVED[:1])
