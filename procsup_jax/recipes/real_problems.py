"""What is measured on real problems beside the rest: no oracle knows their traces, and texts are free in their form."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from procsup_jax.labels.sources import SourceName
from procsup_jax.recipes import base
from procsup_jax.recipes.artefacts import LABEL_SOURCES, PROCESSBENCH, Labels, ModelFolder, Problems, Samples, on_text
from procsup_jax.recipes.data import evaluation_sets
from procsup_jax.recipes.evaluation import Drawn, Evaluated, everything_drawn
from procsup_jax.recipes.settings import ExperimentSettings
from procsup_jax.recipes.solutions import label
from procsup_jax.recipes.work import Ctx, load
from procsup_jax.runner.stage import Stage

# Sources that need nothing but a reference solution, at most: they label the same samples beside those that train.
_BESIDE: tuple[SourceName, ...] = ("outcome", "intermediate", "calculator")


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
        rms = dict.fromkeys(rm for what in judged for rm in what.judges.values())
        yield measure_processbench(tuple(rms))


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


def measure_processbench(rms: Sequence[ModelFolder]) -> Stage:
    """Measure how well reward models find the first wrong step of ProcessBench's solutions, at a threshold of .5."""
    return Stage("measure-processbench", _processbench, (rms,), inputs=rms, outputs=(PROCESSBENCH,))


def _processbench(ctx: Ctx, rms: Sequence[ModelFolder]) -> Mapping[Any, Any]:
    from procsup_jax.decode.score import score_samples
    from procsup_jax.evals import processbench
    from procsup_jax.searching.aggregate import to_scores

    data, seed, size = ctx.settings.data, ctx.settings.seed, ctx.settings.score_batch
    items = processbench.read_processbench(data.processbench_path)
    if 0 < data.num_processbench < len(items):
        items = random.Random(seed).sample(items, data.num_processbench)
    problems, samples = processbench.records(items)
    scores = {}
    for rm in rms:
        probs = score_samples(load(ctx, rm), problems, samples, batch_size=size, flag="--config.score_batch")
        scores[rm.name] = to_scores(samples, probs, ctx.settings.evaluate.aggregate, rm.name)
    thresholds = {rm.name: 0.5 for rm in rms}
    return {PROCESSBENCH: processbench.report(items, scores, thresholds, seed=seed)}
