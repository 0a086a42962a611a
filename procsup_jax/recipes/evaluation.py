"""What a finished policy is measured by, and the report's example solutions."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from procsup_jax import grouping
from procsup_jax.labels.sources import SourceName
from procsup_jax.recipes.artefacts import Labels, ModelFolder, Problems, Samples, Scores, evaluation, examples
from procsup_jax.recipes.data import has_oracle
from procsup_jax.recipes.settings import ExperimentSettings
from procsup_jax.recipes.solutions import Policy, draw, label, score, search
from procsup_jax.recipes.work import Ctx
from procsup_jax.roster import SHORT, STARTS, TEST
from procsup_jax.runner.artefacts import Reads
from procsup_jax.runner.stage import Stage
from procsup_jax.runner.view import Setting
from procsup_jax.searching.decodings import by
from procsup_jax.types import Problem, Sample, Score, StepLabels

NUM_SAMPLES, NUM_IMPROVED = Setting("evaluate.num_samples"), Setting("evaluate.num_samples_improved")


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """Name a policy and the reward models that rerank its samples, each by what metrics call it, such as `orm`."""

    policy: Policy
    judges: Mapping[str, ModelFolder]


@dataclasses.dataclass(frozen=True)
class Measured:
    """Hold everything drawn for one policy on one set."""

    problems: Sequence[Problem]
    samples: Sequence[Sample]
    scores: Mapping[str, Sequence[Score]]
    labels: Sequence[StepLabels]


@dataclasses.dataclass(frozen=True)
class Drawn:
    """Name the files of what was drawn on a set, scored by judges and labelled by a source, None where there is none.

    `scores` are of each judge, those of every samples file in order. With `is_part` the problems are some of those that
    the samples are of, and the others' records are left out.
    """

    problems: Problems
    samples: tuple[Samples, ...]
    scores: Mapping[str, tuple[Scores, ...]]
    source: SourceName | None
    is_part: bool = False

    @property
    def labels(self) -> tuple[Labels, ...]:
        """Return the labels of the samples."""
        return () if self.source is None else tuple(Labels(each, self.source) for each in self.samples)

    @property
    def files(self) -> tuple[Any, ...]:
        """Return what a stage reads of it."""
        return (self.problems, *self.samples, *(each for some in self.scores.values() for each in some), *self.labels)

    def read(self, of: Reads) -> Measured:
        """Read it all: of a stage's context, or of a finished run's folder."""
        problems = of.read(self.problems)
        uids = {problem.uid for problem in problems}
        taken = lambda record: not self.is_part or record.problem_uid in uids  # noqa: E731
        return Measured(
            problems,
            [sample for each in self.samples for sample in of.read(each) if taken(sample)],
            {
                judge: [score for each in some for score in of.read(each) if taken(score)]
                for judge, some in self.scores.items()
            },
            [found for each in self.labels for found in of.read(each) if taken(found)],
        )


def drawn_files(settings: ExperimentSettings, what: Evaluated, problems: Problems, samples: Sequence[Samples]) -> Drawn:
    """Return the files of samples with their judges' scores, and with the oracle's labels where there is one."""
    scores = {judge: tuple(Scores(each, rm.name) for each in samples) for judge, rm in what.judges.items()}
    return Drawn(problems, tuple(samples), scores, "oracle" if has_oracle(settings) else None)


def drawn(policy: Policy, problems: Problems) -> Samples:
    """Return the samples that a policy is measured by."""
    return Samples.of(policy.name, problems, "drawn")


def evaluating(settings: ExperimentSettings, what: Evaluated, problems: Problems) -> Iterator[Stage]:
    """Sample, search, score, label and measure one policy on one set; a set that is a part of another is measured."""
    found = everything_drawn(settings, what, problems)
    if not found.is_part:
        policy = what.policy
        is_start = policy.name in STARTS or not settings.evaluate.num_samples_improved
        yield draw(found.samples[0], policy, problems, NUM_SAMPLES if is_start else NUM_IMPROVED, with_greedy=True)
        for samples, (judge, rm) in zip(found.samples[1:], what.judges.items(), strict=False):
            yield search(samples, policy, rm, problems, by(judge, "step"))
        yield from judging(what, found)
    yield evaluate(what.policy, found)


def everything_drawn(settings: ExperimentSettings, what: Evaluated, problems: Problems) -> Drawn:
    """Return the files of all that one policy is measured by on one set."""
    policy, is_part = what.policy, problems == Problems(SHORT)
    drawn_of = Problems(TEST) if is_part else problems
    samples = [drawn(policy, drawn_of)]
    if policy.name in settings.evaluate.step_search_models:
        samples += [Samples.of(policy.name, drawn_of, by(judge, "step")) for judge in what.judges]
    found = drawn_files(settings, what, problems, samples)
    return dataclasses.replace(found, is_part=is_part)


def judging(what: Evaluated, found: Drawn) -> Iterator[Stage]:
    """Score and label all that was drawn."""
    for each in found.samples:
        for rm in what.judges.values():
            yield score(each, found.problems, rm)
        if found.source is not None:
            yield label(each, found.problems, found.source, what.policy.model)


def evaluate(policy: Policy, found: Drawn) -> Stage:
    """Measure what was drawn for a policy on a set, and choose examples for the report."""
    split = found.problems.split
    outputs = (evaluation(policy.name, split), examples(policy.name, split))
    args = policy.name, found, *outputs
    return Stage(f"evaluate-{policy.name}-{split}", _evaluate, args, inputs=found.files, outputs=outputs)


def _evaluate(ctx: Ctx, policy: str, drawn: Drawn, metrics: Any, shown: Any) -> Mapping[Any, Any]:
    from procsup_jax.evals.evaluate import evaluate as measure

    found, seed = drawn.read(ctx), ctx.settings.seed
    measured = measure(found.problems, found.samples, found.scores, found.labels, seed=seed)
    rows = _examples(policy, found, drawn.problems.split, seed, ctx.settings.evaluate.num_examples)
    return {metrics: measured, shown: rows}


def _examples(policy: str, found: Measured, split: str, seed: int, num: int) -> list[dict[str, Any]]:
    """Choose problems at random, and show what majority and each reward model choose for them."""
    from procsup_jax.searching import vote

    chosen = random.Random(seed).sample(list(found.problems), min(num, len(found.problems)))
    score_of = {judge: grouping.by_key(scores) for judge, scores in found.scores.items()}
    labels, groups = grouping.by_key(found.labels), grouping.by_problem(grouping.drawn(found.samples))
    rows = []
    for problem in chosen:
        group = groups.get(problem.uid, [])
        picks: dict[str, Sample | None] = {"majority": vote.majority(group, seed).sample}
        for judge, scores in score_of.items():
            values = [scores[sample.key].score for sample in group]
            picks[f"{judge}_weighted"] = vote.rm_weighted(group, values).sample
        for decoding, pick in picks.items():
            if pick is not None:
                probs = {judge: list(scores[pick.key].step_probs) for judge, scores in score_of.items()}
                row = _row(problem, pick, probs, labels.get(pick.key))
                rows.append(row | {"set": split, "model": policy, "decoding": decoding})
    return rows


def _row(
    problem: Problem, sample: Sample, probs: Mapping[str, Sequence[float]], label: StepLabels | None
) -> dict[str, Any]:
    from procsup_jax.text import answers
    from procsup_jax.text.steps import steps_of

    steps = steps_of(sample)
    row: dict[str, Any] = {
        "problem_uid": problem.uid,
        "question": problem.question,
        "answer": problem.answer,
        "predicted": sample.answer,
        "set": "",
        "model": "",
        "decoding": "",
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
    from procsup_jax.data.worlds import graph, oracle

    world = graph.from_json(problem.extra["world"])
    return [verdict.reason or None for verdict in oracle.check(world, steps).verdicts]
