"""The last stages, measured across models, and everything that results.json holds."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import platform
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from procsup_jax.recipes.artefacts import (
    DIFFERENCES,
    EXAMPLES,
    LABEL_SOURCES,
    LOOKUP,
    PROCESSBENCH,
    REPORT,
    RESULTS,
    REWARD_MODELS,
    SUPERVISION,
    ModelFolder,
    Problems,
    curve,
    evaluation,
    examples,
    on_text,
)
from procsup_jax.recipes.evaluation import Drawn
from procsup_jax.recipes.settings import DEFAULT_RECIPE
from procsup_jax.recipes.work import Ctx, load
from procsup_jax.runner.stage import Stage
from procsup_jax.runner.view import whole
from procsup_jax.settings import flatten

PACKAGES = ("procsup_jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "sentencepiece", "numpy")


def measure_lookup(model: ModelFolder, problems: Problems) -> Stage:
    """Measure how well a model looks quantities up."""
    return Stage("measure-lookup", _lookup, (model, problems), inputs=(problems, model), outputs=(LOOKUP,))


def _lookup(ctx: Ctx, model: ModelFolder, problems: Problems) -> Mapping[Any, Any]:
    from procsup_jax.evals.lookup import lookup_accuracy

    accuracy, num = lookup_accuracy(load(ctx, model), ctx.read(problems), ctx.settings.seq_len, whole(ctx.settings.sft))
    return {LOOKUP: {"lookup_accuracy": accuracy, "lookup_tokens": num}}


@dataclasses.dataclass(frozen=True)
class MeasuredJudges:
    """Name what some judges scored, and what each of them is called in results."""

    drawn: Drawn
    names: Mapping[str, str]


def measure_reward_models(judged: Sequence[MeasuredJudges], elsewhere: Mapping[str, tuple[Any, str]]) -> Stage:
    """Measure reward models on samples that they were not trained on.

    `elsewhere` are those that an evaluation has measured already, by name: its file, and the judge's name in it.
    """
    inputs = [*(file for each in judged for file in each.drawn.files), *(file for file, _ in elsewhere.values())]
    args = tuple(judged), elsewhere
    return Stage("measure-reward-models", _reward_models, args, inputs=inputs, outputs=(REWARD_MODELS,))


def _reward_models(
    ctx: Ctx, judged: Sequence[MeasuredJudges], elsewhere: Mapping[str, tuple[Any, str]]
) -> Mapping[Any, Any]:
    from procsup_jax.evals import reward_models
    from procsup_jax.evals.join import join

    found = {}
    for each in judged:
        measured = each.drawn.read(ctx)
        joined = join(measured.problems, measured.samples, dict(measured.scores), measured.labels)
        for judge, report in reward_models.report(joined)["reward_models"].items():
            found[each.names[judge]] = report
    for name, (file, judge) in elsewhere.items():
        found[name] = ctx.read(file)["reward_models"][judge]
    return {REWARD_MODELS: found}


def measure_differences(drawn: Mapping[str, Drawn]) -> Stage:
    """Measure the paired differences that the findings are about, between policies on one set."""
    inputs = [file for each in drawn.values() for file in each.files]
    return Stage("measure-differences", _differences, (drawn,), inputs=inputs, outputs=(DIFFERENCES,))


def _differences(ctx: Ctx, drawn: Mapping[str, Drawn]) -> Mapping[Any, Any]:
    from procsup_jax.evals import findings, outcomes
    from procsup_jax.evals.evaluate import difference
    from procsup_jax.evals.join import join

    seed, measured, gaps = ctx.settings.seed, {}, []
    for name, each in drawn.items():
        found = each.read(ctx)
        joined = join(found.problems, found.samples, dict(found.scores), found.labels)
        measured[name] = outcomes.measure_all(joined, seed)
        split = each.problems.split
    for (a, how_a), (b, how_b) in findings.PAIRED:
        if how_a in measured.get(a, {}) and how_b in measured.get(b, {}):
            gap = difference(measured[a][how_a], measured[b][how_b], seed=seed)
            gaps.append({"a": [a, how_a], "b": [b, how_b], "set": split, **gap})
    return {DIFFERENCES: gaps}


@dataclasses.dataclass(frozen=True)
class Reported:
    """Say what results.json and the report hold: policies, the sets they were measured on, and what else there is."""

    base: ModelFolder
    policies: tuple[str, ...]
    sets: tuple[str, ...]
    curves: tuple[str, ...] = ()
    is_real: bool = False
    """Whether the problems are real ones, so that texts and label sources were measured (`real_problems`)."""
    has_processbench: bool = False

    @property
    def files(self) -> tuple[Any, ...]:
        """Return what has to be read for it."""
        pairs = [(policy, split) for split in self.sets for policy in self.policies]
        measured = [make(*pair) for make in (evaluation, examples) for pair in pairs]
        if self.is_real:
            measured += [*(on_text(*pair) for pair in pairs), LABEL_SOURCES]
        if self.has_processbench:
            measured.append(PROCESSBENCH)
        return (self.base, LOOKUP, REWARD_MODELS, DIFFERENCES, SUPERVISION, *measured, *map(curve, self.curves))


def publish(what: Reported) -> Stage:
    """Write results.json, examples.jsonl and report.html, and print the table, every time."""
    outputs = (EXAMPLES, RESULTS, REPORT)
    return Stage("publish", _publish, (what,), inputs=what.files, outputs=outputs, always=True)


def _publish(ctx: Ctx, what: Reported) -> Mapping[Any, Any]:
    from procsup_jax.report.table import text_table

    results = gather(ctx, what)
    shown = [row for split in what.sets for policy in what.policies for row in ctx.read(examples(policy, split))]

    def announce() -> None:
        print(text_table(results))
        print(f"results: {ctx.path(RESULTS)}\nreport:  {ctx.path(REPORT)}")

    ctx.when_written(announce)
    return {EXAMPLES: shown, RESULTS: results, REPORT: (results, shown)}


def gather(ctx: Ctx, what: Reported) -> dict[str, Any]:
    """Return what results.json holds, from the files that the stages have written."""
    settings = flatten(whole(ctx.settings))
    if settings["config.recipe"] == DEFAULT_RECIPE:
        del settings["config.recipe"]  # which results of before there were others do not hold
    return {
        "name": ctx.settings.name,
        "seed": ctx.settings.seed,
        "config": settings,
        "versions": {**dict(_versions()), "python": platform.python_version()},
        "base": {**_base_facts(ctx, what.base), **ctx.read(LOOKUP)},
        "models": {
            policy: {split: ctx.read(evaluation(policy, split)) for split in what.sets} for policy in what.policies
        },
        "reward_models": ctx.read(REWARD_MODELS),
        "curves": {policy: ctx.read(curve(policy)) for policy in what.curves},
        "differences": ctx.read(DIFFERENCES),
        "supervision": ctx.read(SUPERVISION),
        **_real_problems(ctx, what),
        "wall_clock": ctx.wall_clock(),
    }


def _real_problems(ctx: Ctx, what: Reported) -> dict[str, Any]:
    if not what.is_real:
        return {}
    texts = {policy: {split: ctx.read(on_text(policy, split)) for split in what.sets} for policy in what.policies}
    found = {"text": texts, "label_sources": ctx.read(LABEL_SOURCES)}
    if what.has_processbench:
        found["processbench"] = ctx.read(PROCESSBENCH)
    return {"real_problems": found}


def _versions() -> Iterator[tuple[str, str]]:
    for name in PACKAGES:
        try:
            yield name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield name, "not installed"


def _base_facts(ctx: Ctx, base: ModelFolder) -> dict[str, Any]:
    from procsup_jax.models import api

    saved = load(ctx, base)
    facts = {"source": ctx.settings.base.source, "params": api.num_params(saved.config), "digest": saved.digest}
    shown = ("tokens", "validation_loss", "data", "command")
    return {**facts, **{key: saved.metadata[key] for key in shown if key in saved.metadata}}
