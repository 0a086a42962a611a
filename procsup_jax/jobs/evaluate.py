"""`procsup evaluate`: every metric of a model from its files, as JSON and as a table."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from procsup_jax import files
from procsup_jax.errors import UserError
from procsup_jax.evals import inputs, processbench
from procsup_jax.evals.evaluate import evaluate
from procsup_jax.evals.inputs import LayoutName
from procsup_jax.evals.table import processbench_table, table
from procsup_jax.flags import Flags, flag
from procsup_jax.jobs import shared
from procsup_jax.ranges import Seed, Share
from procsup_jax.text.answers import Reading


@dataclasses.dataclass(frozen=True)
class EvaluateFlags(Flags):
    """Hold the flags of `procsup evaluate`."""

    output: pathlib.Path = flag("the JSON file to write", writes="file")
    problems: pathlib.Path | None = flag("the problems file", None, reads="file")
    samples: Sequence[pathlib.Path] = flag(
        "their samples, drawn, greedy or searched; repeat it for another file", (), reads="file"
    )
    scores: Annotated[Sequence[str], shared.SCORES] = ()
    labels: Sequence[pathlib.Path] = flag(
        "process labels of the samples; repeat it for a second rater's", (), reads="file"
    )
    seed: Annotated[Seed, shared.SEED] = 0
    answers: Annotated[Reading, shared.ANSWERS] = "flexible"
    layout: Annotated[LayoutName, shared.JOINED_LAYOUT] = ""
    skip_bad: Annotated[bool, shared.SKIP_UNJOINED] = False
    force: Annotated[bool, shared.FORCE_JUDGES] = False
    dataset: Literal["", "processbench"] = flag("a public set instead of --problems and --samples", "")
    path: pathlib.Path | None = flag("processbench: its file", None, reads="file")
    threshold: Share = flag("processbench: a step of a lower probability is called wrong", 0.5)
    threshold_path: pathlib.Path | None = flag(
        "processbench: choose the threshold on this file of it instead", None, reads="file"
    )


def run(flags: EvaluateFlags) -> dict[str, Any]:
    """Measure final-answer error, trace error and more: problems + samples + scores + labels -> JSON and a table.

    Answers are read from the solutions; where a sample's own answer says otherwise a line says so. A reward model's
    NAME is what tables and decodings (NAME_weighted) call it, such as orm and prm. With
    --dataset=processbench its figures are how well reward models find the first wrong step; their scores are of the
    samples that procsup data --dataset=processbench writes, those of --threshold_path's solutions among them.
    """
    if flags.dataset == "processbench":
        result = _processbench(flags)
        shown = processbench_table(result)
    else:
        result = _evaluate(flags)
        shown = table(result)
    files.write_text(flags.output, json.dumps(result, indent=2, allow_nan=False) + "\n")
    print(shown)
    return result


def _evaluate(flags: EvaluateFlags) -> dict[str, Any]:
    if flags.problems is None or not flags.samples:
        raise UserError("procsup evaluate needs --problems and --samples, or --dataset=processbench --path=FILE")
    marker, separator = inputs.written(flags.layout)
    named = inputs.Files(flags.problems, flags.samples, flags.scores, flags.labels, force=flags.force)
    found = named.read(flags.answers, marker, skip_bad=flags.skip_bad)
    result = evaluate(found.problems, found.samples, found.scores, found.labels, seed=flags.seed, separator=separator)
    contradicting = len(found.answered.contradictions)
    counts = {"reading": flags.answers, "added": found.answered.num_added, "contradicting": contradicting}
    return {**result, "answers": counts, "left_out": found.left_out}


def _processbench(flags: EvaluateFlags) -> dict[str, Any]:
    by_judge = inputs.read_scores(flags.scores, skip_bad=flags.skip_bad, force=flags.force)
    if flags.path is None or not by_judge:
        raise UserError("procsup evaluate --dataset=processbench needs --path=FILE and --scores=NAME=FILE")
    items = processbench.read_processbench(flags.path, skip_bad=flags.skip_bad)
    thresholds = dict.fromkeys(by_judge, flags.threshold)
    if flags.threshold_path is not None:
        others = processbench.read_processbench(flags.threshold_path, skip_bad=flags.skip_bad)
        thresholds = {
            judge: processbench.choose_threshold(others, processbench.step_probs(others, judge, scores))
            for judge, scores in by_judge.items()
        }
    return processbench.report(items, by_judge, thresholds, seed=flags.seed)
