"""Steps are lines, and splitting loses nothing."""

import hypothesis
import hypothesis.strategies as st
import pytest

from procsup_jax.text import steps
from procsup_jax.types import Sample

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


@pytest.mark.parametrize(
    ("solution", "split"),
    [
        ("a\nb\n\n\\boxed{4}", ["a\nb", "\\boxed{4}"]),
        ("a\n\n\nb\n\n", ["a", "\nb\n\n"]),
        ("\n\n\n\na\n\n \n\nb", ["\n\n\n\na\n\n ", "b"]),
        ("", []),
    ],
)
def test_paragraphs_follow_the_same_rule(solution, split):
    assert steps.split_steps(solution, "\n\n") == split


def test_given_steps_stand_whatever_the_text_says():
    assert steps.steps_of(Sample("p", 0, "a\nb\n\nc")) == ["a", "b\n", "c"]
    assert steps.steps_of(Sample("p", 0, "a\nb\n\nc"), "\n\n") == ["a\nb", "c"]
    assert steps.steps_of(Sample("p", 0, "a\nb\n\nc", steps=("a", "b\n\nc")), "\n\n") == ["a", "b\n\nc"]


@hypothesis.given(solution=SOLUTIONS, separator=st.sampled_from(["\n", "\n\n", "ab"]))
@hypothesis.settings(max_examples=200)
def test_join_inverts_split_and_no_step_is_empty(solution, separator):
    split = steps.split_steps(solution, separator)
    assert steps.join_steps(split, separator) == solution
    assert all(split)
    assert all(step.strip() for step in split) or not solution.strip()


@hypothesis.given(lines=st.lists(st.text("abc 1", min_size=1).filter(str.strip), max_size=6))
def test_lines_with_text_are_the_steps(lines):
    assert steps.split_steps("\n".join(lines)) == lines


def test_a_final_step_holds_a_marker():
    assert steps.is_final_step("#### 4") and steps.is_final_step("Final answer: 4") and steps.is_final_step("A: 4")
    assert not steps.is_final_step("2 + 2 = <<2+2=4>>4") and not steps.is_final_step("Plan A: 4")
