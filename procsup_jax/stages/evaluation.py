"""What a finished policy is measured by, and the report's example solutions."""

from __future__ import annotations

import dataclasses
import functools
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

from procsup_jax import files, grouping, records
from procsup_jax.data.worlds import graph, oracle
from procsup_jax.evals.evaluate import evaluate
from procsup_jax.searching import vote
from procsup_jax.stages.context import Context, problems_file
from procsup_jax.stages.solutions import (
    Policy,
    labels_file,
    run_labels,
    run_samples,
    run_scores,
    run_search,
    samples_file,
    scores_file,
)
from procsup_jax.stages.stage import Stage
from procsup_jax.text import answers
from procsup_jax.text.steps import steps_of
from procsup_jax.types import Problem, Sample, Score, StepLabels


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """Name a policy and the reward models that rerank its samples; None where there is none."""

    policy: Policy
    orm: str | None
    prm: str | None

    @property
    def rms(self) -> dict[str, str]:
        """Return the reward models there are, by their part."""
        return {part: name for part, name in (("orm", self.orm), ("prm", self.prm)) if name is not None}


@dataclasses.dataclass(frozen=True)
class Measured:
    """Hold everything drawn for one policy on one set."""

    problems: Sequence[Problem]
    samples: Sequence[Sample]
    scores: Mapping[str, Sequence[Score]]
    labels: Sequence[StepLabels]


def evaluation_file(model: str, split: str) -> str:
    """Return the name of the file with a policy's metrics on a set."""
    return f"evaluations/{model}.{split}.json"


def examples_file(model: str, split: str) -> str:
    """Return the name of the file with a policy's example solutions on a set."""
    return f"evaluations/{model}.{split}.examples.jsonl"


def has_oracle(ctx: Context) -> bool:
    """Return whether the run's problems carry the graph that the oracle needs."""
    return ctx.settings.data.kind == "worlds"


def run_evaluation(ctx: Context, what: Evaluated, split: str) -> None:
    """Sample, search, score, label and measure one policy on one set."""
    policy, settings = what.policy, ctx.settings.evaluate
    names = [f"{policy.name}.{split}.drawn"]
    number = "config.evaluate.num_samples"
    run_samples(ctx, names[0], policy, split, settings.num_samples, set_by=number, with_greedy=True)
    if policy.name in settings.step_search_models:
        for part, rm in what.rms.items():
            names.append(f"{policy.name}.{split}.{part}_step")
            run_search(ctx, names[-1], policy, rm, f"{part}_step", split)
    for name in names:
        for rm in what.rms.values():
            run_scores(ctx, name, split, rm)
        if has_oracle(ctx):
            run_labels(ctx, name, split, "oracle")
    inputs = [problems_file(split), *(file for name in names for file in measured_files(ctx, what, name))]
    outputs = (evaluation_file(policy.name, split), examples_file(policy.name, split))
    work = functools.partial(_evaluate, ctx, what, split, names)
    chosen = {"config.seed": ctx.settings.seed, "config.evaluate.num_examples": settings.num_examples}
    ctx.folder.run(Stage(f"evaluate-{policy.name}-{split}", chosen, inputs, outputs, work))


def measured_files(ctx: Context, what: Evaluated, name: str) -> list[str]:
    """Return the names of a samples file, its scores and its labels."""
    labels = [labels_file(name, "oracle")] if has_oracle(ctx) else []
    return [samples_file(name), *(scores_file(name, rm) for rm in what.rms.values()), *labels]


def read_measured(ctx: Context, what: Evaluated, split: str, names: Sequence[str]) -> Measured:
    """Read what the stages before have written for one policy and set."""
    return Measured(
        ctx.problems(split),
        [sample for name in names for sample in records.read_samples(ctx.path(samples_file(name)))],
        {
            part: [score for name in names for score in records.read_scores(ctx.path(scores_file(name, rm)))]
            for part, rm in what.rms.items()
        },
        [
            label
            for name in names
            for label in (records.read_labels(ctx.path(labels_file(name, "oracle"))) if has_oracle(ctx) else ())
        ],
    )


def _evaluate(ctx: Context, what: Evaluated, split: str, names: Sequence[str]) -> None:
    found, seed = read_measured(ctx, what, split, names), ctx.settings.seed
    metrics = evaluate(found.problems, found.samples, found.scores, found.labels, seed=seed)
    name = what.policy.name
    files.write_text(ctx.path(evaluation_file(name, split)), json.dumps(metrics, indent=1) + "\n")
    rows = _examples(what, found, split, seed, ctx.settings.evaluate.num_examples)
    files.write_text(ctx.path(examples_file(name, split)), "".join(json.dumps(row) + "\n" for row in rows))


def _examples(what: Evaluated, found: Measured, split: str, seed: int, num: int) -> list[dict[str, Any]]:
    """Choose problems at random, and show what majority and each reward model choose for them."""
    chosen = random.Random(seed).sample(list(found.problems), min(num, len(found.problems)))
    score_of = {part: grouping.by_key(scores) for part, scores in found.scores.items()}
    labels, drawn = grouping.by_key(found.labels), grouping.by_problem(grouping.drawn(found.samples))
    rows = []
    for problem in chosen:
        group = drawn.get(problem.uid, [])
        picks: dict[str, Sample | None] = {"majority": vote.majority(group, seed).sample}
        for part, scores in score_of.items():
            values = [scores[sample.key].score for sample in group]
            picks[f"{part}_weighted"] = vote.rm_weighted(group, values).sample
        for decoding, pick in picks.items():
            if pick is not None:
                probs = {part: list(scores[pick.key].step_probs) for part, scores in score_of.items()}
                rows.append(_row(what, problem, pick, decoding, split, probs, labels.get(pick.key)))
    return rows


def _row(
    what: Evaluated,
    problem: Problem,
    sample: Sample,
    decoding: str,
    split: str,
    probs: Mapping[str, Sequence[float]],
    label: StepLabels | None,
) -> dict[str, Any]:
    steps = steps_of(sample)
    row: dict[str, Any] = {
        "problem_uid": problem.uid,
        "question": problem.question,
        "answer": problem.answer,
        "predicted": sample.answer,
        "set": split,
        "model": what.policy.name,
        "decoding": decoding,
        "steps": steps,
        "step_probs": probs,
        "correct": answers.same_answer(sample.answer, problem.answer),
        "labels": None,
    }
    if label is not None:
        row["labels"] = [None if right is None else int(right) for right in label.correct]
        row["trace_correct"] = label.trace_correct
        row["reason"] = _reasons(problem, steps)
    return row


def _reasons(problem: Problem, steps: Sequence[str]) -> list[str | None]:
    world = graph.from_json(problem.extra["world"])
    return [verdict.reason or None for verdict in oracle.check(world, steps).verdicts]
