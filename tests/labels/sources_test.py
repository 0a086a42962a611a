import typing

import pytest

from procsup_jax.data.worlds import splits
from procsup_jax.errors import UserError
from procsup_jax.labels.sources import SourceName, source
from procsup_jax.types import Sample

(PROBLEM,) = splits.problems("rm", 1)
STEPS = tuple((PROBLEM.solution or "").split("\n"))


@pytest.mark.parametrize("name", typing.get_args(SourceName))
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
