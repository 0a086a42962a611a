"""The surprise control: what the reward models of the SFT policy have to beat."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from procsup_jax import grouping, records
from procsup_jax.decode.score import step_logprobs
from procsup_jax.evals import surprise
from procsup_jax.evals.surprise import StepLogprobs
from procsup_jax.labels.sources import SourceName
from procsup_jax.roster import CONTROLS, SFT, rm_of
from procsup_jax.searching.aggregate import to_scores
from procsup_jax.stages.context import Context, model_files, problems_file
from procsup_jax.stages.solutions import labels_file, samples_file, scores_file
from procsup_jax.stages.stage import Stage
from procsup_jax.types import Sample

_TRAIN, _VALIDATION = f"{SFT}.rm", f"{SFT}.validation"


def run_surprise(ctx: Context) -> None:
    """Fit the control to the SFT policy's samples for reward models, and score its validation samples with it."""
    settings = ctx.settings.evaluate
    if not settings.surprise_samples:
        return
    kinds: tuple[SourceName, ...] = ("outcome", ctx.settings.process_labels)
    inputs = [*model_files(SFT), problems_file("rm"), problems_file("validation")]
    inputs += [samples_file(_TRAIN), samples_file(_VALIDATION), *(labels_file(_TRAIN, kind) for kind in kinds)]
    outputs = tuple(scores_file(_VALIDATION, rm_of(SFT, control)) for control in CONTROLS)
    chosen = {
        "config.evaluate.surprise_samples": settings.surprise_samples,
        "config.evaluate.aggregate": settings.aggregate,
    }
    ctx.folder.run(Stage("score-surprise", chosen, inputs, outputs, functools.partial(_score, ctx, kinds)))


def _score(ctx: Context, kinds: tuple[SourceName, ...]) -> None:
    train = [s for s in records.read_samples(ctx.path(samples_file(_TRAIN))) if s.solution.strip()]
    train = train[: ctx.settings.evaluate.surprise_samples]
    valid = records.read_samples(ctx.path(samples_file(_VALIDATION)))
    read, judged = _read(ctx, "rm", train), _read(ctx, "validation", valid)
    for control, kind in zip(CONTROLS, kinds, strict=True):
        labels = grouping.by_key(records.read_labels(ctx.path(labels_file(_TRAIN, kind))))
        verifier = surprise.fit(read, [labels[sample.key].correct for sample in train])
        name = rm_of(SFT, control)
        probs = [verifier.step_probs(steps) for steps in judged]
        records.write_scores(
            ctx.path(scores_file(_VALIDATION, name)), to_scores(valid, probs, ctx.settings.evaluate.aggregate, name)
        )


def _read(ctx: Context, split: str, samples: Sequence[Sample]) -> Sequence[StepLogprobs]:
    size = ctx.settings.score_batch
    return step_logprobs(ctx.model(SFT), ctx.problems(split), samples, batch_size=size, flag="--config.score_batch")
