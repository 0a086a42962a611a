"""The last stages, measured across models, and everything that results.json holds."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from procsup_jax import files, records
from procsup_jax.evals import findings, outcomes, reward_models
from procsup_jax.evals.evaluate import difference
from procsup_jax.evals.join import join
from procsup_jax.evals.lookup import lookup_accuracy
from procsup_jax.models import api
from procsup_jax.roster import CONTROLS, FEW_SHOT, ORM, PRM, SFT, rm_of
from procsup_jax.settings import flatten
from procsup_jax.stages.context import BASE, Context, model_files, problems_file
from procsup_jax.stages.data import splits_of
from procsup_jax.stages.evaluation import (
    Evaluated,
    evaluation_file,
    examples_file,
    has_oracle,
    measured_files,
    read_measured,
)
from procsup_jax.stages.improvement import curve_file
from procsup_jax.stages.solutions import labels_file, run_labels, run_scores, samples_file, scores_file
from procsup_jax.stages.stage import Stage
from procsup_jax.stages.supervision import SUPERVISION

PACKAGES = ("procsup_jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "sentencepiece", "numpy")
LOOKUP, REWARD_MODELS, DIFFERENCES = (f"evaluations/{name}.json" for name in ("lookup", "reward_models", "differences"))


def evaluation_sets(ctx: Context) -> list[str]:
    """Return the splits that policies are evaluated on."""
    return [split for split in splits_of(ctx) if split in ("test", "ood")]


def run_lookup(ctx: Context) -> None:
    """Measure how well the base model looks quantities up."""

    def work() -> None:
        problems = ctx.problems("validation")
        seq_len, like = ctx.settings.seq_len, ctx.settings.sft
        accuracy, num = lookup_accuracy(ctx.model(BASE), problems, seq_len, like)
        _write(ctx, LOOKUP, {"lookup_accuracy": accuracy, "lookup_tokens": num})

    inputs = (problems_file("validation"), *model_files(BASE))
    ctx.folder.run(Stage("measure-lookup", {"config.seq_len": ctx.settings.seq_len}, inputs, (LOOKUP,), work))


def run_reward_model_report(ctx: Context, evaluated: Sequence[Evaluated]) -> None:
    """Score and measure every reward model of the run on samples that it was not trained on.

    The first ones on validation samples of the policy they were made for; an ORM trained for an improved policy, or
    along with it, on that policy's test samples, where its evaluation has measured it.
    """
    inputs = [problems_file("validation")]
    for policy, parts in _measured_rms(ctx):
        samples = f"{policy}.validation"
        inputs.append(samples_file(samples))
        for part in parts:
            if part not in CONTROLS:
                run_scores(ctx, samples, "validation", rm_of(policy, part))
            inputs.append(scores_file(samples, rm_of(policy, part)))
        if has_oracle(ctx):
            run_labels(ctx, samples, "validation", "oracle")
            inputs.append(labels_file(samples, "oracle"))
    improved = {
        what.orm: evaluation_file(what.policy.name, "test")
        for what in evaluated
        if what.orm == rm_of(what.policy.name, ORM) and what.policy.name not in (SFT, FEW_SHOT)
    }
    work = functools.partial(_measure_reward_models, ctx, improved)
    inputs += improved.values()
    ctx.folder.run(Stage("measure-reward-models", {}, inputs, (REWARD_MODELS,), work))


def _measured_rms(ctx: Context) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the policies and reward models that are measured on the policies' validation samples."""
    yield SFT, (ORM, PRM, *(CONTROLS if ctx.settings.evaluate.surprise_samples else ()))
    yield FEW_SHOT, (ORM,)


def _measure_reward_models(ctx: Context, improved: Mapping[str, str]) -> None:
    found = {}
    for policy, parts in _measured_rms(ctx):
        samples = f"{policy}.validation"
        scores = {part: records.read_scores(ctx.path(scores_file(samples, rm_of(policy, part)))) for part in parts}
        labels = records.read_labels(ctx.path(labels_file(samples, "oracle"))) if has_oracle(ctx) else []
        joined = join(ctx.problems("validation"), records.read_samples(ctx.path(samples_file(samples))), scores, labels)
        for part, report in reward_models.report(joined)["reward_models"].items():
            found[rm_of(policy, part)] = report
    for orm, evaluation in improved.items():
        found[orm] = _read(ctx, evaluation)["reward_models"][ORM]
    _write(ctx, REWARD_MODELS, found)


def run_differences(ctx: Context, evaluated: Sequence[Evaluated]) -> None:
    """Measure the paired differences that the findings are about, on the test set."""
    drawn = {what: f"{what.policy.name}.test.drawn" for what in evaluated}
    inputs = [
        problems_file("test"),
        *(file for what, name in drawn.items() for file in measured_files(ctx, what, name)),
    ]

    def work() -> None:
        _write(ctx, DIFFERENCES, list(_differences(ctx, drawn)))

    ctx.folder.run(Stage("measure-differences", {"config.seed": ctx.settings.seed}, inputs, (DIFFERENCES,), work))


def _differences(ctx: Context, drawn: dict[Evaluated, str]) -> Iterator[dict[str, Any]]:
    seed, measured = ctx.settings.seed, {}
    for what, name in drawn.items():
        found = read_measured(ctx, what, "test", [name])
        joined = join(found.problems, found.samples, dict(found.scores), found.labels)
        measured[what.policy.name] = outcomes.measure_all(joined, seed)
    for (a, how_a), (b, how_b) in findings.PAIRED:
        if how_a in measured.get(a, {}) and how_b in measured.get(b, {}):
            gap = difference(measured[a][how_a], measured[b][how_b], seed=seed)
            yield {"a": [a, how_a], "b": [b, how_b], "set": "test", **gap}


def gather(ctx: Context, evaluated: Sequence[Evaluated]) -> dict[str, Any]:
    """Return what results.json holds, from the files that the stages have written."""
    names = [what.policy.name for what in evaluated]
    return {
        "name": ctx.settings.name,
        "seed": ctx.settings.seed,
        "config": flatten(ctx.settings),
        "versions": {**dict(_versions()), "python": platform.python_version()},
        "base": {**_base_facts(ctx), **_read(ctx, LOOKUP)},
        "models": {
            name: {split: _read(ctx, evaluation_file(name, split)) for split in evaluation_sets(ctx)} for name in names
        },
        "reward_models": _read(ctx, REWARD_MODELS),
        "curves": {name: _read(ctx, curve_file(name)) for name in names if name in ctx.settings.improve.approaches},
        "differences": _read(ctx, DIFFERENCES),
        "supervision": _read(ctx, SUPERVISION),
        "wall_clock": ctx.folder.wall_clock(),
    }


def read_examples(ctx: Context, evaluated: Sequence[Evaluated]) -> list[dict[str, Any]]:
    """Return the example solutions of every model and set."""
    paths = [ctx.path(examples_file(what.policy.name, split)) for split in evaluation_sets(ctx) for what in evaluated]
    return [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]


def _versions() -> Iterator[tuple[str, str]]:
    for name in PACKAGES:
        try:
            yield name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield name, "not installed"


def _base_facts(ctx: Context) -> dict[str, Any]:
    saved = ctx.model(BASE)
    facts = {"source": ctx.settings.base.source, "params": api.num_params(saved.config), "digest": saved.digest}
    shown = ("tokens", "validation_loss", "data", "command")
    return {**facts, **{key: saved.metadata[key] for key in shown if key in saved.metadata}}


def _read(ctx: Context, name: str) -> Any:
    return json.loads(ctx.path(name).read_text(encoding="utf-8"))


def _write(ctx: Context, name: str, value: Any) -> None:
    files.write_text(ctx.path(name), json.dumps(value, indent=1) + "\n")
