"""What is measured on real problems beside the rest: no oracle knows their traces, and texts are free in their form."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from procsup_jax.labels.sources import SourceName
from procsup_jax.recipes import base
from procsup_jax.recipes.artefacts import (
    LABEL_SOURCES,
    PROCESSBENCH,
    Labels,
    ModelFolder,
    Problems,
    Samples,
    Scores,
    on_text,
)
from procsup_jax.recipes.data import evaluation_sets
from procsup_jax.recipes.evaluation import Drawn, Evaluated, everything_drawn
from procsup_jax.recipes.settings import ExperimentSettings
from procsup_jax.recipes.solutions import label, score
from procsup_jax.recipes.work import Ctx
from procsup_jax.runner.stage import Stage

if TYPE_CHECKING:
    from procsup_jax.evals.processbench import Item

# Sources that need nothing but a reference solution, at most: they label the same samples beside those that train.
_BESIDE: tuple[SourceName, ...] = ("outcome", "intermediate", "calculator")
_PROCESSBENCH = Problems("processbench"), Samples("processbench")


def measuring(
    settings: ExperimentSettings, judged: Sequence[Evaluated], train: tuple[Samples, Problems], labels: Sequence[Labels]
) -> Iterator[Stage]:
    """Measure every policy's solutions on every set, what label sources say, and reward models on ProcessBench.

    `train` are the samples that reward models learn from, `labels` the labels of them that some learn from.
    """
    for what in judged:
        for problems in evaluation_sets(settings):
            yield measure_text(what, everything_drawn(settings, what, problems))
    samples, problems = train
    sources = dict.fromkeys([*_BESIDE, *(each.source for each in labels)])
    for source in _BESIDE:
        yield label(samples, problems, source, base.MODEL)
    yield measure_label_sources(problems, samples, [Labels(samples, source) for source in sources])
    if settings.data.processbench_path:
        yield from measuring_processbench(tuple(dict.fromkeys(rm for what in judged for rm in what.judges.values())))


def measure_text(what: Evaluated, found: Drawn) -> Stage:
    """Measure a policy's solutions as texts: readings of their answers, pass@k, what can be said of their traces."""
    output, model = on_text(what.policy.name, found.problems.split), what.policy.model
    name = f"measure-text-{what.policy.name}-{found.problems.split}"
    return Stage(name, _text, (found, model, output), inputs=(*found.files, model), outputs=(output,))


def _text(ctx: Ctx, drawn: Drawn, model: ModelFolder, output: Any) -> Mapping[Any, Any]:
    from procsup_jax.evals import pass_at_k, readings, trace_bounds, votes_by_k
    from procsup_jax.evals.join import join

    found, seed, layout = drawn.read(ctx), ctx.settings.seed, ctx.read(model).encoding.layout
    joined = join(found.problems, found.samples, dict(found.scores), (), layout.separator)
    return {
        output: {
            "readings": readings.measure(joined, layout.answer_marker, seed=seed),
            "pass_at_k": pass_at_k.measure(joined, seed=seed),
            "votes": votes_by_k.measure(joined, seed=seed),
            "trace_bounds": trace_bounds.measure(
                found.problems, found.samples, found.scores, layout.separator, seed=seed
            ),
        }
    }


def measure_label_sources(problems: Problems, samples: Samples, labels: Sequence[Labels]) -> Stage:
    """Measure what sources of labels say of the same samples."""
    inputs, args = (problems, samples, *labels), (problems, samples, tuple(labels))
    return Stage("measure-label-sources", _label_sources, args, inputs=inputs, outputs=(LABEL_SOURCES,))


def _label_sources(ctx: Ctx, problems: Problems, samples: Samples, labels: Sequence[Labels]) -> Mapping[Any, Any]:
    from procsup_jax.evals import label_sources

    by_source: dict[str, Any] = {each.source: ctx.read(each) for each in labels}
    found = label_sources.measure(ctx.read(problems), ctx.read(samples), by_source, seed=ctx.settings.seed)
    return {LABEL_SOURCES: found}


def measuring_processbench(rms: Sequence[ModelFolder]) -> Iterator[Stage]:
    """Measure how well reward models find the first wrong step of ProcessBench's solutions, at a threshold of .5."""
    problems, samples = _PROCESSBENCH
    yield Stage("data-processbench", _solutions, outputs=_PROCESSBENCH)
    for rm in rms:
        yield score(samples, problems, rm)
    scores = tuple(Scores(samples, rm.name) for rm in rms)
    yield Stage("measure-processbench", _processbench, (scores,), inputs=scores, outputs=(PROCESSBENCH,))


def _solutions(ctx: Ctx) -> Mapping[Any, Any]:
    from procsup_jax.evals import processbench

    return dict(zip(_PROCESSBENCH, processbench.records(_items(ctx)), strict=True))


def _items(ctx: Ctx) -> Sequence[Item]:
    from procsup_jax.evals import processbench

    data, items = ctx.settings.data, processbench.read_processbench(ctx.settings.data.processbench_path)
    few = 0 < data.num_processbench < len(items)
    return random.Random(ctx.settings.seed).sample(items, data.num_processbench) if few else items


def _processbench(ctx: Ctx, scores: Sequence[Scores]) -> Mapping[Any, Any]:
    from procsup_jax.evals import processbench

    found, thresholds = {each.rm: ctx.read(each) for each in scores}, {each.rm: 0.5 for each in scores}
    return {PROCESSBENCH: processbench.report(_items(ctx), found, thresholds, seed=ctx.settings.seed)}
