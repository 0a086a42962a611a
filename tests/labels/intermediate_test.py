"""Li et al.'s heuristic: a step's result against the results of the reference solution."""

import pytest

from procsup_jax.errors import UserError
from procsup_jax.labels.intermediate import Intermediate
from procsup_jax.types import Problem, Sample

PROBLEM = Problem(
    "p",
    "q",
    "72",
    "In May she sold 48/2 = <<48/2=24>>24 clips.\nThat makes <<48+24=72>>72, or 1,000 less.\nLess 3.50 fees\n#### 72",
)


@pytest.mark.parametrize(
    ("step", "right"),
    [
        ("May: <<48/2=24>>24", True),
        ("May: <<48/2=24.00>>24", True),
        ("May: <<48/2=25>>24", False),
        ("<<1+1=2>>2 and then <<2*12=24>>24", True),
        ("<<48/2=24>>24 and then <<1+1=2>>2", False),
        ("so it is 24", True),
        ("so 24 is 25", False),
        ("fees of $3.5", True),
        ("less 1,000", False),
        ("Let us think.", True),
        ("#### 72", True),
        ("#### 24", False),
        ("#### ", False),
        ("so -24", False),
    ],
)
def test_each_step_is_judged_by_its_result(step, right):
    (label,) = Intermediate().label([PROBLEM], [Sample("p", 0, step)])
    assert label.steps == (right,) and label.first_error == (-1 if right else 0)
    assert (label.rater, label.source) == ("intermediate", "intermediate")


@pytest.mark.parametrize(
    ("step", "right"),
    [
        ("2 \u2212 7 = \u22125", True),
        ("2 - 7 = -5 degrees.", True),
        ("That is **-5**.", True),
        ("It is \\(-5\\).", True),
        ("x = -10/2", True),
        ("x = \\frac{-10}{2}", True),
        ("It is -\\frac{10}{2}.", True),
        ("2 \u2013 7 = \u20135", True),
        ("= 2 - 7", True),
        ("It is -\uff15.", True),
        ("5 degrees", False),
        ("It is \\(5\\).", False),
        ("x = 10/2", False),
        ("x = -10/0", False),
        ("The answer is -5 degrees.", True),
        ("The answer is 5 degrees.", False),
    ],
)
def test_results_are_compared_by_their_exact_value(step, right):
    problem = Problem("p", "q", "-5", "2-7=<<2-7=-5>>-5\n#### -5")
    assert Intermediate().label([problem], [Sample("p", 0, step)])[0].steps == (right,)


def test_a_fraction_is_its_decimal():
    problem = Problem("p", "q", "3", "<<1/2=0.5>>0.5\n#### 3")
    assert (
        Intermediate().label([problem], [Sample("p", 0, "<<1/2=1/2>>\nso 1/2\nx = \u00bd")])[0].correct == (True,) * 3
    )


def test_steps_are_judged_one_by_one():
    (label,) = Intermediate().label([PROBLEM], [Sample("p", 4, "<<48/2=24>>\n<<24+1=25>>\n<<48+24=72>>\n#### 72")])
    assert label.correct == (True, False, True, True)
    assert (label.first_error, label.num_steps, label.key) == (1, 4, ("p", 4, None))


def test_the_reference_solution_itself_is_right():
    (label,) = Intermediate().label([PROBLEM], [Sample("p", 0, PROBLEM.solution or "")])
    assert label.first_error == -1 and all(label.correct)


def test_missing_references_and_problems_are_one_clear_line():
    with pytest.raises(UserError, match="problem 'u' has no \"solution\""):
        Intermediate().label([Problem("u", "q", "4")], [Sample("u", 0, "s")])
    with pytest.raises(UserError, match="'x', which is not among the 1 problems"):
        Intermediate().label([PROBLEM], [Sample("x", 0, "s")])


def test_every_reference_of_gsm8k_is_right_by_its_own_results(shared_data):
    from procsup_jax.data import gsm8k

    problems = gsm8k.load_gsm8k("test", shared_data / "gsm8k")
    labels = Intermediate().label(problems, [Sample(p.uid, 0, p.solution or "", p.answer) for p in problems])
    assert all(label.first_error == -1 for label in labels)
