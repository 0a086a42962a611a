import dataclasses
import random

import pytest

from procsup_jax import records
from procsup_jax.data.worlds import graph, splits, write
from procsup_jax.data.worlds.settings import SlopSettings
from procsup_jax.errors import UserError
from procsup_jax.labels.oracle import Oracle
from procsup_jax.types import Problem, Sample, StepLabels

PROBLEMS = splits.problems("rm", 20)


def samples(rate: float) -> list[Sample]:
    drawn = []
    for problem in PROBLEMS:
        world = graph.from_json(problem.extra["world"])
        for k in range(3):
            trace = write.write_trace(world, random.Random(f"{problem.uid}/{k}"), SlopSettings(rate))
            drawn.append(Sample(problem.uid, k, "\n".join(trace.steps), trace.answer))
    return drawn


def test_labels_keep_the_samples_order_and_count_steps() -> None:
    drawn = samples(0.3)
    random.Random(0).shuffle(drawn)
    labels = Oracle().label(PROBLEMS, drawn)
    assert [label.key for label in labels] == [sample.key for sample in drawn]
    assert [label.num_steps for label in labels] == [sample.solution.count("\n") + 1 for sample in drawn]
    assert {(label.rater, label.source) for label in labels} == {("oracle", "oracle")}
    answers = {problem.uid: problem.answer for problem in PROBLEMS}
    for sample, label in zip(drawn, labels, strict=True):
        if label.first_error == -1:
            assert sample.answer == answers[sample.problem_uid]
    assert len({label.first_error for label in labels}) > 3


def test_right_solutions_have_no_error() -> None:
    assert {label.first_error for label in Oracle().label(PROBLEMS, samples(0.0))} == {-1}


def test_the_position_of_a_planted_error() -> None:
    problem = PROBLEMS[0]
    lines = (problem.solution or "").split("\n")
    lines[1] = lines[1].rpartition(" ")[0] + " 98"
    (label,) = Oracle().label([problem], [Sample(problem.uid, 0, "\n".join(lines))])
    assert label == StepLabels(problem.uid, 0, 1, len(lines), "oracle", "oracle")
    assert label.correct == (True,) + (False,) * (len(lines) - 1)


def test_problems_read_from_a_file_are_labelled_alike(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "problems.jsonl"
    records.write_problems(path, PROBLEMS)
    assert Oracle().label(records.read_problems(path), samples(0.3)) == Oracle().label(PROBLEMS, samples(0.3))


def test_an_empty_solution_has_no_steps() -> None:
    (label,) = Oracle().label(PROBLEMS, [Sample(PROBLEMS[0].uid, 0, "")])
    assert (label.first_error, label.num_steps) == (-1, 0)


def test_blank_lines_belong_to_the_step_before() -> None:
    problem = PROBLEMS[0]
    solution = (problem.solution or "").replace("\n", "\n\n", 1) + "\n"
    (label,) = Oracle().label([problem], [Sample(problem.uid, 0, solution)])
    assert (label.first_error, label.num_steps) == (-1, (problem.solution or "").count("\n") + 1)


def test_a_problem_without_a_world_is_a_user_error() -> None:
    plain = Problem("gsm8k-1", "How many?", "3")
    with pytest.raises(UserError, match="problem 'gsm8k-1' has no 'world', expected a story of the worlds testbed"):
        Oracle().label([plain], [Sample("gsm8k-1", 0, "#### 3")])
    broken = dataclasses.replace(plain, extra={"world": {"facts": 3}})
    with pytest.raises(UserError, match="is no story graph"):
        Oracle().label([broken], [Sample("gsm8k-1", 0, "#### 3")])


def test_a_sample_of_an_unknown_problem_is_a_user_error() -> None:
    with pytest.raises(UserError, match="sample 0 is of problem 'x', which is not among the 20 problems"):
        Oracle().label(PROBLEMS, [Sample("x", 0, "#### 3")])
