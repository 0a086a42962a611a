"""Steps are lines, and splitting loses nothing."""

import hypothesis
import hypothesis.strategies as st
import pytest

from procsup_jax.text import steps

SOLUTIONS = st.text("ab \n\t#4", max_size=20) | st.text(max_size=20)


@pytest.mark.parametrize(
    ("solution", "split"),
    [
        ("a\nb\n#### 4", ["a", "b", "#### 4"]),
        ("a\n\nb", ["a\n", "b"]),
        ("\na\nb\n", ["\na", "b\n"]),
        ("a", ["a"]),
        ("", []),
        ("\n \n", ["\n \n"]),
        ("a\n  \n\nb", ["a\n  \n", "b"]),
    ],
)
def test_blank_lines_belong_to_the_step_before(solution, split):
    assert steps.split_steps(solution) == split


@hypothesis.given(solution=SOLUTIONS)
@hypothesis.settings(max_examples=200)
def test_join_inverts_split_and_no_step_is_empty(solution):
    split = steps.split_steps(solution)
    assert steps.join_steps(split) == solution
    assert all(split)
    assert all(step.strip() for step in split) or not solution.strip()


@hypothesis.given(lines=st.lists(st.text("abc 1", min_size=1).filter(str.strip), max_size=6))
def test_lines_with_text_are_the_steps(lines):
    assert steps.split_steps("\n".join(lines)) == lines


def test_a_final_step_holds_a_marker():
    assert steps.is_final_step("#### 4") and steps.is_final_step("Final answer: 4") and steps.is_final_step("A: 4")
    assert not steps.is_final_step("2 + 2 = <<2+2=4>>4") and not steps.is_final_step("Plan A: 4")
