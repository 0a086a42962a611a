"""Outcome labels follow the final answer and nothing else."""

import pytest

from procsup_jax.errors import UserError
from procsup_jax.labels.outcome import Outcome
from procsup_jax.types import Problem, Sample

PROBLEM = Problem("p", "q", "29", "20+9=<<20+9=29>>29\n#### 29")


@pytest.mark.parametrize(
    ("answer", "first_error", "correct"),
    [("29", -1, (True, True)), ("29.00", -1, (True, True)), ("-29", 0, (False, False)), (None, 0, (False, False))],
)
def test_every_step_is_as_right_as_the_answer(answer, first_error, correct):
    (label,) = Outcome().label([PROBLEM], [Sample("p", 3, "nonsense\n#### 29", answer)])
    assert (label.key, label.first_error, label.num_steps) == (("p", 3, None), first_error, 2)
    assert (label.rater, label.source, label.correct) == ("outcome", "outcome", correct)


def test_order_is_the_samples_and_an_empty_solution_is_wrong():
    labels = Outcome().label([PROBLEM], [Sample("p", 1, ""), Sample("p", 0, "#### 29", "29")])
    assert [(label.sample, label.first_error, label.num_steps) for label in labels] == [(1, 0, 0), (0, -1, 1)]


def test_a_sample_of_an_unknown_problem_is_one_clear_line():
    with pytest.raises(UserError, match="sample 2 is of problem 'x', which is not among the 1 problems; give the file"):
        Outcome().label([PROBLEM], [Sample("x", 2, "s")])
