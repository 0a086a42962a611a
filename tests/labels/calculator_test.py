"""The calculator's labels: wrong arithmetic alone."""

import pytest

from procsup_jax.errors import UserError
from procsup_jax.labels.calculator import Calculator
from procsup_jax.types import Problem, Sample


def test_a_step_is_wrong_when_an_annotation_is():
    text = "5+3=<<5+3=8>>8\n<<8*2=17>>17 and <<1+1=2>>2\nso 4\n#### 17"
    (label, empty) = Calculator().label([Problem("a", "?", "16")], [Sample("a", 0, text), Sample("a", 1, "")])
    assert label.steps == (True, False, True, True) and label.first_error == 1
    assert (label.source, label.trace_correct, empty.num_steps) == ("calculator", False, 0)


def test_a_sample_of_another_problem_is_refused():
    with pytest.raises(UserError, match="'x', which is not among the 1 problems"):
        Calculator().label([Problem("a", "?", "16")], [Sample("x", 0, "s")])
