"""`procsup label`: label the steps of samples."""

from __future__ import annotations

import pathlib
from typing import Annotated

from procsup_jax import records
from procsup_jax.flags import About
from procsup_jax.jobs import shared
from procsup_jax.labels.sources import NEED_ANSWERS, SourceName, label_answered
from procsup_jax.labels.sources import source as source_of
from procsup_jax.text import answered
from procsup_jax.text.answers import Reading
from procsup_jax.text.layout import StepLayout, preset


def run(
    problems: Annotated[pathlib.Path, shared.PROBLEMS],
    samples: Annotated[pathlib.Path, shared.SAMPLES],
    output: Annotated[pathlib.Path, About("the labels file to write", writes="file")],
    source: Annotated[SourceName, About("what labels the steps")] = "outcome",
    layout: Annotated[StepLayout, shared.LAYOUT] = "lines",
    answers: Annotated[Reading, shared.ANSWERS] = "flexible",
    skip_bad: Annotated[bool, shared.SKIP_BAD] = False,
) -> None:
    """Write labels.jsonl: by the final answer, by the worlds testbed's oracle, or by intermediate values.

    `outcome` gives every step the final answer's verdict; `oracle` needs problems of worlds; `intermediate` needs
    reference solutions (Li et al. 2022). Answers are read from the solutions: strict ones stand behind the layout's
    marker, flexible ones are written as language models write them. Steps are lines or, by `layout`, paragraphs,
    unless a sample gives its own. `skip_bad` leaves malformed lines out and says how many.
    """
    left_out: list[str] = []
    found = records.read_problems(problems, skip_bad=skip_bad)
    if skip_bad and source in NEED_ANSWERS:
        found = answered.problems(found, left_out)
    given = records.read_samples(samples, problem_uids={problem.uid for problem in found}, skip_bad=skip_bad)
    written = preset(layout)
    labels = label_answered(source_of(source, written.separator), found, given, answers, written.answer_marker)
    records.write_labels(output, labels)
    right = sum(label.trace_correct is True for label in labels)
    print(f"{len(labels)} solutions labelled by {source}, {right} without a wrong step; written to {output}")
    if left_out:
        print(f"left out {len(left_out)} problems without an answer, the first: {left_out[0]}")
