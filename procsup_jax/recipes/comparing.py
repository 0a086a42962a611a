"""Reward models side by side: however they are made, they judge the same samples of one policy."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from procsup_jax.models.config import HeadKind
from procsup_jax.recipes import training
from procsup_jax.recipes.artefacts import ModelFolder, Problems, Scores, evaluation
from procsup_jax.recipes.evaluation import Drawn, Evaluated, drawn, drawn_files, evaluating
from procsup_jax.recipes.settings import ExperimentSettings
from procsup_jax.recipes.solutions import Policy
from procsup_jax.recipes.surprise import surprise
from procsup_jax.recipes.training import Labelled
from procsup_jax.recipes.work import Ctx
from procsup_jax.roster import rm_of
from procsup_jax.runner.artefacts import Json
from procsup_jax.runner.stage import Stage


@dataclasses.dataclass(frozen=True)
class Way:
    """Say how a reward model is made: of which kind (`roster.JUDGES`), from which model, on which labelled samples.

    `head` is how it reads, None as `config.rm_head` says.
    """

    kind: str
    start: ModelFolder
    train: Labelled
    valid: Labelled
    head: HeadKind | None = None


def folder(policy: Policy, judge: str) -> ModelFolder:
    """Return the model of the judge of this name."""
    return ModelFolder(rm_of(policy.name, judge))


def comparing(
    settings: ExperimentSettings,
    policy: Policy,
    ways: Mapping[str, Way],
    controls: Mapping[str, Labelled],
    problems: Problems,
    found: Json,
) -> Iterator[Stage]:
    """Train a reward model in each way, by the judge's name, and let all judge the policy's samples of some problems.

    `controls` are surprise controls, by their names, and what each is fitted to; they are left out with
    `config.evaluate.surprise_samples=0`. `found` holds both errors of each decoding, and what the judges are worth
    (`evals.reward_models.report`).
    """
    for judge, way in ways.items():
        fit = training.Fit(folder(policy, judge), way.start, way.kind)
        stage = training.reward_model(fit, way.train, way.valid)
        yield stage if way.head is None else dataclasses.replace(stage, takes={"rm_head": way.head})
    what = Evaluated(policy, {judge: folder(policy, judge) for judge in ways})
    yield from evaluating(settings, what, problems)
    samples, beside = drawn(policy, problems), {}
    if settings.evaluate.surprise_samples and controls:
        named = {rm_of(policy.name, name): learned for name, learned in controls.items()}
        yield surprise(policy.model, named, samples, problems)
        beside = {name: (Scores(samples, rm_of(policy.name, name)),) for name in controls}
    judged = drawn_files(settings, what, problems, (samples,))
    judged = dataclasses.replace(judged, scores={**judged.scores, **beside})
    measured = evaluation(policy.name, problems.split)
    yield Stage("compare", _compare, (judged, measured, found), inputs=(*judged.files, measured), outputs=(found,))


def _compare(ctx: Ctx, judged: Drawn, measured: Json, found: Json) -> Mapping[Any, Any]:
    from procsup_jax.evals import reward_models
    from procsup_jax.evals.findings import METRICS
    from procsup_jax.evals.join import join

    read = judged.read(ctx)
    joined = join(read.problems, read.samples, dict(read.scores), read.labels)
    decoding = {
        how: {"n": each["n"], **{name: each[name] for name in METRICS}, "intervals": each["intervals"]}
        for how, each in ctx.read(measured)["decoding"].items()
    }
    report = reward_models.report(joined, seed=ctx.settings.seed)
    return {found: {"base": ctx.settings.base.source, "seed": ctx.settings.seed, "decoding": decoding, **report}}
