"""`procsup evaluate`: every metric of a model from its files, as JSON and as a table."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Sequence
from typing import Any

from procsup_jax import files, records
from procsup_jax.evals import join
from procsup_jax.evals.evaluate import evaluate
from procsup_jax.evals.table import table
from procsup_jax.types import Score, StepLabels


def run(
    problems: pathlib.Path,
    samples: pathlib.Path,
    output: pathlib.Path,
    orm_scores: pathlib.Path | None = None,
    prm_scores: pathlib.Path | None = None,
    labels: Sequence[pathlib.Path] = (),
    seed: int = 0,
    skip_bad: bool = False,
) -> dict[str, Any]:
    """Measure final-answer error, trace error and more: problems + samples + scores + labels -> JSON and a table.

    samples: drawn at a temperature, and, where the key "decoding" says so, greedy ("greedy") or searched
      ("prm_step", "orm_beam", "prm_puct" and the like) solutions
    orm_scores, prm_scores: an outcome- and a process-supervised reward model's scores of those samples
    labels: process labels of those samples; repeat the flag for a second rater's file
    seed: settles majority's random choices and the bootstrap
    skip_bad: leave out malformed lines, and what cannot be joined without them, instead of stopping
    """
    left_out: list[str] = []
    given = {"orm": orm_scores, "prm": prm_scores}
    problem_list = records.read_problems(problems, skip_bad=skip_bad, left_out=left_out)
    uids = {problem.uid for problem in problem_list}
    sample_list = records.read_samples(samples, problem_uids=uids, skip_bad=skip_bad, left_out=left_out)
    scores: dict[str, list[Score]] = {
        rm: records.read_scores(path, skip_bad=skip_bad, left_out=left_out)
        for rm, path in given.items()
        if path is not None
    }
    label_list: list[StepLabels] = []
    for path in labels:
        label_list += records.read_labels(path, skip_bad=skip_bad, left_out=left_out)
    if left_out:
        num_read = len(problem_list), len(sample_list)
        problem_list, sample_list, scores, label_list = join.keep_joined(problem_list, sample_list, scores, label_list)
        orphans = num_read[0] - len(problem_list), num_read[1] - len(sample_list)
        print(f"left out {len(left_out)} bad lines and with them {orphans[0]} problems and {orphans[1]} samples")
    result = evaluate(problem_list, sample_list, scores.get("orm"), scores.get("prm"), label_list, seed=seed)
    result["left_out"] = len(left_out)
    files.write_text(output, json.dumps(result, indent=2, allow_nan=False) + "\n")
    print(table(result))
    return result
