import hypothesis
import pytest
from hypothesis import strategies as st

from procsup_jax.errors import UserError
from procsup_jax.text import answered, answers
from procsup_jax.types import Problem, Sample

SOLUTIONS = st.sampled_from(["#### 18", "9 * 2 = 18\n#### 18", "\\boxed{4}", "no answer", "", "#### 1/2"])


def test_a_sample_without_an_answer_is_read():
    found = answered.samples(
        [Sample("a", 0, "9 * 2 = 18\n#### 18"), Sample("a", 1, "nothing"), Sample("a", 2, "#### 5", "")]
    )
    assert [sample.answer for sample in found.samples] == ["18", None, "5"]
    assert (found.num_added, found.contradictions, found.warning) == (2, (), None)


def test_an_answer_that_contradicts_its_solution_is_named_and_does_not_count(capsys):
    given = [
        Sample("a", 0, "#### 18", "18.0"),
        Sample("a", 1, "#### 18", "17"),
        Sample("b", 0, "nothing", "5", decoding="greedy"),
        Sample("b", 0, "#### 1/2", "#### 0.5"),
    ]
    found = answered.samples(given)
    assert [sample.answer for sample in found.samples] == ["18", "18", None, "1/2"]
    assert [(each.sample, each.given, each.read) for each in found.contradictions] == [
        (given[1], "17", "18"), (given[2], "5", None),
    ]  # fmt: skip
    assert capsys.readouterr().err == (
        "2 of 4 samples have an \"answer\" that contradicts their solution, first sample 1 of problem 'a': "
        "\"answer\" is '17', the solution gives '18'; the solution's counts\n"
    )
    alone = answered.samples(given[2:])
    assert "first sample 0 (greedy) of problem 'b': \"answer\" is '5', the solution gives no answer" in alone.warning


def test_a_strict_reading_takes_the_marker_alone_and_calls_no_other_way_a_contradiction():
    given = [Sample("a", 0, "#### 18", "18"), Sample("a", 1, "\\boxed{18}", "18"), Sample("a", 2, "\\boxed{18}", "17")]
    found = answered.samples(given, "strict")
    assert [sample.answer for sample in found.samples] == ["18", None, None]
    assert [each.sample.sample for each in found.contradictions] == [2]
    boxed = answered.samples(given, "strict", "\\boxed{")
    assert [sample.answer for sample in boxed.samples] == [None, "18", "18"]


@hypothesis.given(st.lists(SOLUTIONS), st.sampled_from(["flexible", "strict"]))
def test_what_is_read_stays_as_it_is(solutions, reading):
    given = [Sample("a", i, solution) for i, solution in enumerate(solutions)]
    once = answered.samples(given, reading).samples
    again = answered.samples(once, reading)
    assert again.samples == once and again.warning is None and again.num_added == 0
    assert [each.answer for each in once] == [answers.extract_answer(each, reading) for each in solutions]


def test_problems_give_their_final_answer_alone():
    plain = Problem("a", "?", "18")
    trace = "9 * 2 = <<9*2=18>>18\n#### 18"
    given = [plain, Problem("b", "?", "#### 18"), Problem("c", "?", trace), Problem("d", "?", " ", trace)]
    found = answered.problems(given)
    assert [problem.answer for problem in found] == ["18"] * 4
    assert found[0] is plain


@pytest.mark.parametrize("answer", ["", "  ", "Nine ducks.\nTwo dollars.", "#### "])
def test_a_problem_without_a_final_answer_is_refused_by_name(answer):
    given = [Problem("a", "?", "18"), Problem("b", "?", answer), Problem("c", "?", "")]
    with pytest.raises(UserError) as caught:
        answered.problems(given)
    message = str(caught.value)
    assert message.startswith("2 of 3 problems have no final answer, first problem 'b'") and "\n" not in message
    left_out = []
    assert answered.problems(given, left_out) == given[:1]
    assert len(left_out) == 2
