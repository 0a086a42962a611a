"""`procsup evaluate`: every metric of a model from its files, as JSON and as a table."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Sequence
from typing import Any, Literal

from procsup_jax import files, records
from procsup_jax.errors import UserError
from procsup_jax.evals import join, processbench
from procsup_jax.evals.evaluate import evaluate
from procsup_jax.evals.judges import check_judges
from procsup_jax.evals.table import processbench_table, table
from procsup_jax.flags import Flags, flag
from procsup_jax.ranges import Seed, Share
from procsup_jax.searching import decodings
from procsup_jax.types import Score, StepLabels


@dataclasses.dataclass(frozen=True)
class EvaluateFlags(Flags):
    """Hold the flags of `procsup evaluate`."""

    output: pathlib.Path = flag("the JSON file to write")
    problems: pathlib.Path | None = flag("the problems", None)
    samples: Sequence[pathlib.Path] = flag("their samples, drawn, greedy or searched; repeat it for another file", ())
    scores: Sequence[str] = flag("NAME=FILE, a reward model's scores of the samples; repeat it for other files", ())
    labels: Sequence[pathlib.Path] = flag("process labels of the samples; repeat it for a second rater's", ())
    seed: Seed = flag("settles majority's random choices and the bootstrap", 0)
    skip_bad: bool = flag("leave out malformed lines, and what cannot be joined without them", False)
    force: bool = flag("take scores as the judge's they are given as, whatever they say", False)
    dataset: Literal["", "processbench"] = flag("a public set instead of --problems and --samples", "")
    path: pathlib.Path | None = flag("processbench: its file", None)
    threshold: Share = flag("processbench: a step of a lower probability is called wrong", 0.5)
    threshold_path: pathlib.Path | None = flag("processbench: choose the threshold on this file of it instead", None)


def run(flags: EvaluateFlags) -> dict[str, Any]:
    """Measure final-answer error, trace error and more: problems + samples + scores + labels -> JSON and a table.

    A reward model's NAME is what tables and decodings (NAME_weighted) call it, such as orm and prm. With
    --dataset=processbench its figures are how well reward models find the first wrong step; their scores are of the
    samples that procsup data --dataset=processbench writes, those of --threshold_path's solutions among them.
    """
    left_out: list[str] = []
    by_judge: dict[str, list[Score]] = {}
    for judge, path in map(named_file, flags.scores):
        found = records.read_scores(path, skip_bad=flags.skip_bad, left_out=left_out)
        by_judge.setdefault(judge, []).extend(found)
    if not flags.force:
        check_judges(by_judge)
    if flags.dataset == "processbench":
        result = _processbench(flags, by_judge)
        shown = processbench_table(result)
    else:
        result = _evaluate(flags, by_judge, left_out)
        shown = table(result)
    files.write_text(flags.output, json.dumps(result, indent=2, allow_nan=False) + "\n")
    print(shown)
    return result


def _evaluate(flags: EvaluateFlags, by_judge: dict[str, list[Score]], left_out: list[str]) -> dict[str, Any]:
    if flags.problems is None or not flags.samples:
        raise UserError("procsup evaluate needs --problems and --samples, or --dataset=processbench --path=FILE")
    skip_bad = flags.skip_bad
    problem_list = records.read_problems(flags.problems, skip_bad=skip_bad, left_out=left_out)
    uids = {problem.uid for problem in problem_list}
    sample_list = [
        sample
        for path in flags.samples
        for sample in records.read_samples(path, problem_uids=uids, skip_bad=skip_bad, left_out=left_out)
    ]
    label_list: list[StepLabels] = []
    for path in flags.labels:
        label_list += records.read_labels(path, skip_bad=skip_bad, left_out=left_out)
    if left_out:
        num_read = len(problem_list), len(sample_list)
        kept = join.keep_joined(problem_list, sample_list, by_judge, label_list)
        problem_list, sample_list, by_judge, label_list = kept
        orphans = num_read[0] - len(problem_list), num_read[1] - len(sample_list)
        print(f"left out {len(left_out)} bad lines and with them {orphans[0]} problems and {orphans[1]} samples")
    result = evaluate(problem_list, sample_list, by_judge, label_list, seed=flags.seed)
    return {**result, "left_out": len(left_out)}


def _processbench(flags: EvaluateFlags, by_judge: dict[str, list[Score]]) -> dict[str, Any]:
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


def named_file(given: str) -> tuple[str, pathlib.Path]:
    """Return the name and the file of a value NAME=FILE; raise `UserError` for what is none."""
    name, equals, path = given.partition("=")
    if not equals or not path:
        raise UserError(f"--scores={given}: expected --scores=NAME=FILE, such as --scores=prm=scores.jsonl")
    decodings.check_judge(name)
    return name, pathlib.Path(path)
