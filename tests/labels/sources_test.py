import typing

import pytest

from procsup_jax.data.worlds import splits
from procsup_jax.errors import UserError
from procsup_jax.labels.sources import NEED_ANSWERS, ROLLOUTS, SourceName, label_answered, source
from procsup_jax.types import Problem, Sample

(PROBLEM,) = splits.problems("rm", 1)
STEPS = tuple((PROBLEM.solution or "").split("\n"))


@pytest.mark.parametrize("name", sorted({*typing.get_args(SourceName)} - {ROLLOUTS}))
def test_every_source_counts_steps_by_its_separator_or_as_they_are_given(name):
    whole = Sample(PROBLEM.uid, 0, PROBLEM.solution or "", PROBLEM.answer)
    spread = Sample(PROBLEM.uid, 1, "\n\n".join(STEPS), PROBLEM.answer)
    given = Sample(PROBLEM.uid, 0, "\n\n".join(STEPS), PROBLEM.answer, decoding="greedy", steps=STEPS)
    lines, paragraphs = source(name), source(name, "\n\n")
    assert lines.name == paragraphs.name == name
    labels = [*lines.label([PROBLEM], [whole]), *paragraphs.label([PROBLEM], [spread, given])]
    assert [(label.key, label.num_steps, label.trace_correct) for label in labels] == [
        (sample.key, len(STEPS), True) for sample in (whole, spread, given)
    ]
    assert {(label.rater, label.source) for label in labels} == {(name, name)}
    assert paragraphs.label([PROBLEM], [whole])[0].num_steps == 1


def test_an_unknown_name_is_one_clear_line():
    with pytest.raises(UserError, match="label source 'human' is unknown: expected one of outcome, oracle, intermed"):
        source("human")
    with pytest.raises(UserError, match="label source 'rollouts' samples from a policy: give labels.rollouts.Rollouts"):
        source(ROLLOUTS)


def test_labels_follow_the_answers_that_solutions_give(capsys):
    problems = [Problem("a", "?", "20+9\n#### 29", "20+9=<<20+9=29>>29\n#### 29"), Problem("b", "?", "")]
    samples = [Sample("a", 0, "#### 29"), Sample("a", 1, "#### 28", "29")]
    for name in ("outcome", "intermediate"):
        assert name in NEED_ANSWERS
        labels = label_answered(source(name), problems[:1], samples)
        assert [label.trace_correct for label in labels] == [True, False]
        assert '1 of 2 samples have an "answer" that contradicts' in capsys.readouterr().err
        with pytest.raises(UserError, match="1 of 2 problems have no final answer, first problem 'b'"):
            label_answered(source(name), problems, samples)
