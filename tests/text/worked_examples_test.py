"""The choice of worked examples."""

import pytest

from procsup_jax.errors import UserError
from procsup_jax.text.worked_examples import choose_examples
from procsup_jax.types import Problem

PROBLEMS = [Problem(f"p-{i}", f"What is {i}+1?", str(i + 1), f"{i}+1\n#### {i + 1}") for i in range(9)]
UNSOLVED = [Problem(f"u-{i}", "Why?", "0") for i in range(9)]


def test_examples_are_drawn_by_the_seed_among_the_solved():
    chosen = choose_examples(UNSOLVED + PROBLEMS, 5, seed=1)
    assert chosen == choose_examples(UNSOLVED + PROBLEMS, 5, seed=1)
    assert len({p.uid for p in chosen}) == 5 and all(p.solution for p in chosen)
    assert chosen != choose_examples(UNSOLVED + PROBLEMS, 5, seed=2)


def test_examples_are_drawn_until_they_fit():
    first = choose_examples(PROBLEMS, 2, seed=1)
    fitting = choose_examples(PROBLEMS, 2, seed=1, fit=lambda some: PROBLEMS[3] in some)
    assert PROBLEMS[3] not in first and PROBLEMS[3] in fitting
    assert choose_examples(PROBLEMS, 2, seed=1, fit=lambda some: some == first) == first
    with pytest.raises(UserError, match=r"2 worked examples .* lower the number"):
        choose_examples(PROBLEMS, 2, seed=1, fit=lambda _: False)


def test_too_few_worked_examples_is_one_clear_line():
    with pytest.raises(UserError, match=r"10 worked examples .* 9 of 18 problems"):
        choose_examples(UNSOLVED + PROBLEMS, 10, seed=0)
