"""`procsup label`: label the steps of samples."""

from __future__ import annotations

import pathlib
from typing import Literal

from procsup_jax import records
from procsup_jax.labels.sources import SourceName
from procsup_jax.labels.sources import source as source_of
from procsup_jax.text.layout import preset


def run(
    problems: pathlib.Path,
    samples: pathlib.Path,
    output: pathlib.Path,
    source: SourceName = "outcome",
    layout: Literal["lines", "paragraphs"] = "lines",
    skip_bad: bool = False,
) -> None:
    """Write labels.jsonl: by the final answer, by the worlds testbed's oracle, or by intermediate values.

    `outcome` gives every step the final answer's verdict; `oracle` needs problems of worlds; `intermediate` needs
    reference solutions (Li et al. 2022). Steps are lines or, by `layout`, paragraphs, unless a sample gives its own.
    `skip_bad` leaves malformed lines out and says how many.
    """
    found = records.read_problems(problems, skip_bad=skip_bad)
    given = records.read_samples(samples, problem_uids={problem.uid for problem in found}, skip_bad=skip_bad)
    labels = source_of(source, preset(layout).separator).label(found, given)
    records.write_labels(output, labels)
    right = sum(label.trace_correct is True for label in labels)
    print(f"{len(labels)} solutions labelled by {source}, {right} without a wrong step; written to {output}")
