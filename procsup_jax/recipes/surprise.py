"""The surprise control: what the reward models of the SFT policy have to beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from procsup_jax import grouping
from procsup_jax.recipes.artefacts import Labels, ModelFolder, Problems, Samples, Scores
from procsup_jax.recipes.training import Labelled
from procsup_jax.recipes.work import Ctx, load
from procsup_jax.runner.stage import Stage
from procsup_jax.types import Sample

if TYPE_CHECKING:
    from procsup_jax.evals.surprise import StepLogprobs


def surprise(model: ModelFolder, controls: Mapping[str, Labelled], samples: Samples, problems: Problems) -> Stage:
    """Fit a control to each of some labels of a policy's samples, and score other samples with it.

    `controls` are the labelled samples, all the same ones, by what the control's scores are called.
    """
    outputs = tuple(Scores(samples, name) for name in controls)
    inputs = [model, problems, samples, *(file for each in controls.values() for file in each.files)]
    args = model, controls, samples, problems
    return Stage("score-surprise", _surprise, args, inputs=inputs, outputs=outputs)


def _surprise(
    ctx: Ctx, model: ModelFolder, controls: Mapping[str, Labelled], samples: Samples, problems: Problems
) -> Mapping[Any, Any]:
    from procsup_jax.evals import surprise as fitted
    from procsup_jax.searching.aggregate import to_scores

    settings, found = ctx.settings.evaluate, {}
    learned = next(iter(controls.values()))
    train = [s for s in ctx.read(learned.samples) if s.solution.strip()][: settings.surprise_samples]
    valid = ctx.read(samples)
    read, judged = _read(ctx, model, learned.problems, train), _read(ctx, model, problems, valid)
    for name, each in controls.items():
        labels = grouping.by_key(ctx.read(Labels(each.samples, each.source)))
        verifier = fitted.fit(read, [labels[sample.key].correct for sample in train])
        probs = [verifier.step_probs(steps) for steps in judged]
        found[Scores(samples, name)] = to_scores(valid, probs, settings.aggregate, name)
    return found


def _read(ctx: Ctx, model: ModelFolder, problems: Problems, samples: Sequence[Sample]) -> Sequence[StepLogprobs]:
    from procsup_jax.decode.score import step_logprobs

    size = ctx.settings.score_batch
    return step_logprobs(load(ctx, model), ctx.read(problems), samples, batch_size=size, flag="--config.score_batch")
