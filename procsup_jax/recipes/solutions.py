"""Stages that make, label and score solutions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from procsup_jax.labels.sources import SourceName
from procsup_jax.processes import share
from procsup_jax.recipes.artefacts import Labels, ModelFolder, Problems, Samples, Scores
from procsup_jax.recipes.work import Ctx, finished_parts, load, seed
from procsup_jax.runner.stage import Stage
from procsup_jax.runner.view import Setting, whole
from procsup_jax.shards import Part, of_mine
from procsup_jax.types import Problem, Sample, Score

NUM_SAMPLES = Setting("sample.num_samples")


@dataclasses.dataclass(frozen=True)
class WorkedExamples:
    """Say where worked examples come from, and the problems that all have to fit behind those that are shown."""

    source: Problems
    before: tuple[Problems, ...]


@dataclasses.dataclass(frozen=True)
class Policy:
    """Name a policy as samples carry it, its model, and the worked examples in its prompt, None without."""

    name: str
    model: ModelFolder
    shown: WorkedExamples | None = None

    @property
    def files(self) -> tuple[ModelFolder | Problems, ...]:
        """Return what a stage has to read to draw from it."""
        return (self.model,) if self.shown is None else (self.model, self.shown.source, *self.shown.before)


def draw(
    samples: Samples, policy: Policy, problems: Problems, num: Setting | int = NUM_SAMPLES, *, with_greedy: bool = False
) -> Stage:
    """Sample solutions of each problem by `config.sample`, and the greedy one where asked for.

    `num` is how many, or the setting that says so.
    """
    takes: dict[str, Any] = {"sample.with_greedy": with_greedy}
    if num != NUM_SAMPLES:
        takes[NUM_SAMPLES.path] = num
    inputs = (problems, *policy.files)
    args, name = (samples, policy, problems), f"sample-{samples.name}"
    return Stage(name, _draw, args, inputs=inputs, outputs=(samples,), takes=takes, together=True)


def search(samples: Samples, policy: Policy, rm: ModelFolder, problems: Problems, decoding: str | None = None) -> Stage:
    """Search one solution of each problem by `config.search` and a reward model; `decoding` marks it for evaluation."""
    args = samples, policy, rm, problems, decoding
    inputs = (problems, *policy.files, rm)
    return Stage(f"sample-{samples.name}", _search, args, inputs=inputs, outputs=(samples,), together=True)


def label(samples: Samples, problems: Problems, source: SourceName, model: ModelFolder) -> Stage:
    """Label samples by a source; `model` is one whose layout says how their steps are separated."""
    found = Labels(samples, source)
    inputs = (samples, problems)
    name = f"label-{samples.name}-{source}"
    return Stage(name, _label, (found, problems, model), inputs=inputs, newer=(model,), outputs=(found,))


def score(samples: Samples, problems: Problems, rm: ModelFolder) -> Stage:
    """Score every step of samples with a reward model."""
    found = Scores(samples, rm.name)
    inputs, name = (samples, problems, rm), f"score-{samples.name}-{rm.name}"
    return Stage(name, _score, (found, problems, rm), inputs=inputs, outputs=(found,), together=True)


def worked_examples(ctx: Ctx, policy: Policy) -> list[Problem]:
    """Return the problems that a policy's prompt shows with their solutions: such that every problem fits after them.

    Which ones depends on how much may be written after a prompt. None where it shows none.
    """
    from procsup_jax.text.worked_examples import choose_examples

    if policy.shown is None:
        return []
    settings, model = ctx.settings, ctx.read(policy.model)
    encoding = model.encoding
    questions = (problem.question for split in policy.shown.before for problem in ctx.read(split))
    longest = max(len(encoding.prompt_ids(question)) for question in questions)
    new_tokens = max(settings.sample.max_new_tokens, settings.search.max_new_tokens)
    room = model.max_len - new_tokens - longest
    return choose_examples(
        ctx.read(policy.shown.source),
        settings.few_shot,
        settings.seed,
        lambda some: len(encoding.example_ids(some)) <= room,
    )


def _draw(ctx: Ctx, samples: Samples, policy: Policy, problems: Problems) -> Mapping[Samples, Part[Sample, Problem]]:
    from procsup_jax.decode.generate import sample_problems
    from procsup_jax.searching import decodings

    settings, all_ = whole(ctx.settings.sample), ctx.read(problems)
    model = load(ctx, policy.model).replace(name=policy.name).unstack()
    shown = worked_examples(ctx, policy)
    with finished_parts(ctx) as journal:
        own_seed = seed(ctx, samples.name)
        found = sample_problems(model, share(all_), settings, seed=own_seed, examples=shown, journal=journal)
    found = [
        decodings.mark(sample, decodings.GREEDY)
        if settings.with_greedy and sample.sample == settings.num_samples
        else sample
        for sample in found
    ]
    return {samples: Part(found, all_)}


def _search(
    ctx: Ctx, samples: Samples, policy: Policy, rm: ModelFolder, problems: Problems, decoding: str | None
) -> Mapping[Samples, Part[Sample, Problem]]:
    from procsup_jax.searching import decodings
    from procsup_jax.searching.step_search import step_search

    model = load(ctx, policy.model).replace(name=policy.name).unstack()
    judge, shown = load(ctx, rm).unstack(), worked_examples(ctx, policy)
    settings, all_ = whole(ctx.settings.search), ctx.read(problems)
    with finished_parts(ctx) as journal:
        own_seed = seed(ctx, samples.name)
        found = step_search(model, judge, share(all_), settings, seed=own_seed, examples=shown, journal=journal)
    kept = [decodings.with_cost(each) for each in found]
    return {samples: Part(kept if decoding is None else [decodings.mark(each, decoding) for each in kept], all_)}


def _label(ctx: Ctx, labels: Labels, problems: Problems, model: ModelFolder) -> Mapping[Labels, Any]:
    from procsup_jax.labels.sources import source

    separator = ctx.read(model).encoding.layout.separator
    return {labels: source(labels.source, separator).label(ctx.read(problems), ctx.read(labels.samples))}


def _score(ctx: Ctx, scores: Scores, problems: Problems, rm: ModelFolder) -> Mapping[Scores, Part[Score, Sample]]:
    from procsup_jax.decode.score import score_samples
    from procsup_jax.searching.aggregate import to_scores

    all_, samples, how = ctx.read(problems), ctx.read(scores.samples), ctx.settings.evaluate.aggregate
    mine, size = of_mine(samples, all_), ctx.settings.score_batch
    model, flag = load(ctx, rm), "--config.score_batch"
    with finished_parts(ctx) as journal:
        probs = score_samples(model, all_, mine, batch_size=size, flag=flag, journal=journal)
    return {scores: Part(to_scores(mine, probs, how, scores.rm), samples)}
