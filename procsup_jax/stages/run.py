"""A whole experiment: which stages there are, in which order, for one config."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Iterator
from typing import Any

from procsup_jax import files, records
from procsup_jax.evals import outcomes, reward_models
from procsup_jax.evals.evaluate import difference
from procsup_jax.evals.join import join
from procsup_jax.models import api
from procsup_jax.report.page import build_report
from procsup_jax.report.table import text_table
from procsup_jax.settings import flatten
from procsup_jax.stages import base as base_stage
from procsup_jax.stages.context import Context
from procsup_jax.stages.data import run_data, splits_of
from procsup_jax.stages.evaluation import (
    Evaluated,
    evaluation_file,
    examples_file,
    has_oracle,
    read_measured,
    run_evaluation,
)
from procsup_jax.stages.improvement import FEW_SHOT, SFT, approach, curve_file, run_improvement
from procsup_jax.stages.lookup import lookup_accuracy
from procsup_jax.stages.solutions import (
    Policy,
    labels_file,
    run_labels,
    run_samples,
    run_scores,
    samples_file,
    scores_file,
)
from procsup_jax.stages.training import run_reward_model, run_sft

PACKAGES = ("procsup_jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "sentencepiece", "numpy")
RM_SPLITS = ("rm", "validation")


def run_experiment(ctx: Context) -> dict[str, Any]:
    """Run every stage that is not finished and return the results that results.json holds."""
    run_data(ctx)
    base_stage.run_base(ctx)
    few_shot, sft = Policy(FEW_SHOT, base_stage.BASE, few_shot=True), Policy(SFT, SFT)
    run_sft(ctx, SFT, base_stage.BASE)
    process = ctx.settings.process_labels
    _reward_model(ctx, sft, SFT, ("orm", f"{SFT}_orm", SFT, "outcome"), ("prm", f"{SFT}_prm", f"{SFT}_orm", process))
    _reward_model(ctx, few_shot, FEW_SHOT, ("orm", f"{FEW_SHOT}_orm", base_stage.BASE, "outcome"))
    evaluated = [Evaluated(few_shot, f"{FEW_SHOT}_orm", None), Evaluated(sft, f"{SFT}_orm", f"{SFT}_prm")]
    for name in ctx.settings.improve.approaches:
        start = few_shot if name.startswith(FEW_SHOT) else sft
        run_improvement(ctx, approach(name, start))
        evaluated.append(_evaluated(ctx, name, start))
    for split in splits_of(ctx):
        if split in ("test", "ood"):
            for what in evaluated:
                run_evaluation(ctx, what, split)
    return _finish(ctx, evaluated)


def _reward_model(ctx: Context, policy: Policy, samples: str, *models: tuple[str, str, str, Any]) -> None:
    """Sample from a policy and train reward models on it, each given as (settings, name, start, label kind)."""
    for split in RM_SPLITS:
        run_samples(ctx, f"{samples}.{split}", policy, split, ctx.settings.rm_samples)
    train, valid = ((f"{samples}.{split}", split) for split in RM_SPLITS)
    for group, name, start, kind in models:
        for each, split in (train, valid):
            run_labels(ctx, each, split, kind)
        run_reward_model(ctx, name, start, kind, group, train, valid)


def _evaluated(ctx: Context, name: str, start: Policy) -> Evaluated:
    """Say which reward models rerank an improved policy.

    ORM-RL keeps the one it was trained against; a Final-Answer RL policy gets one of its own, as the paper trains
    each on samples "from the policy of that approach"; the PRM exists for the SFT-based ones.
    """
    prm = None if start.few_shot else f"{SFT}_prm"
    if name.endswith("final_answer_rl"):
        _reward_model(ctx, Policy(name, name), name, ("orm", f"{name}_orm", start.model, "outcome"))
        return Evaluated(Policy(name, name), f"{name}_orm", prm)
    if start.few_shot:
        return Evaluated(Policy(name, name), f"{name}_orm", prm)
    return Evaluated(Policy(name, name), f"{SFT}_orm", prm)


def _finish(ctx: Context, evaluated: list[Evaluated]) -> dict[str, Any]:
    results = {
        "name": ctx.settings.name,
        "seed": ctx.settings.seed,
        "config": flatten(ctx.settings),
        "versions": {**dict(_versions()), "python": platform.python_version()},
        "base": _base_facts(ctx),
        "models": _read_evaluations(ctx, evaluated),
        "reward_models": _reward_models(ctx) if evaluated else {},
        "curves": {name: json.loads(ctx.path(curve_file(name)).read_text()) for name in _improved(ctx, evaluated)},
        "differences": list(_differences(ctx, evaluated)),
        "wall_clock": ctx.folder.wall_clock(),
    }
    rows = [
        ctx.path(examples_file(what.policy.name, split)).read_text(encoding="utf-8")
        for split in splits_of(ctx)
        if split in ("test", "ood")
        for what in evaluated
    ]
    files.write_text(ctx.path("examples.jsonl"), "".join(rows))
    files.write_text(ctx.path("results.json"), json.dumps(results, indent=1) + "\n")
    build_report(results, [json.loads(line) for row in rows for line in row.splitlines()], ctx.path("report.html"))
    print(text_table(results))
    print(f"results: {ctx.path('results.json')}\nreport:  {ctx.path('report.html')}")
    return results


def _improved(ctx: Context, evaluated: list[Evaluated]) -> list[str]:
    return [what.policy.name for what in evaluated if what.policy.name in ctx.settings.improve.approaches]


def _versions() -> Iterator[tuple[str, str]]:
    for name in PACKAGES:
        try:
            yield name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield name, "not installed"


def _base_facts(ctx: Context) -> dict[str, Any]:
    saved = ctx.model(base_stage.BASE)
    facts = {"source": ctx.settings.base.source, "params": api.num_params(saved.config), "digest": saved.digest}
    shown = ("tokens", "validation_loss", "data", "command")
    facts.update({key: saved.metadata[key] for key in shown if key in saved.metadata})
    accuracy, num_tokens = lookup_accuracy(saved, ctx.vocab, ctx.problems("validation"), ctx.settings.seq_len)
    return {**facts, "lookup_accuracy": accuracy, "lookup_tokens": num_tokens}


def _read_evaluations(ctx: Context, evaluated: list[Evaluated]) -> dict[str, dict[str, Any]]:
    sets = [split for split in splits_of(ctx) if split in ("test", "ood")]
    return {
        what.policy.name: {
            split: json.loads(ctx.path(evaluation_file(what.policy.name, split)).read_text()) for split in sets
        }
        for what in evaluated
    }


def _reward_models(ctx: Context) -> dict[str, Any]:
    """Measure each SFT reward model, and the few-shot one, on the validation samples of the policy it was made for."""
    found = {}
    for policy, parts in ((SFT, ("orm", "prm")), (FEW_SHOT, ("orm",))):
        samples = f"{policy}.validation"
        for part in parts:
            run_scores(ctx, samples, "validation", f"{policy}_{part}")
        if has_oracle(ctx):
            run_labels(ctx, samples, "validation", "oracle")
        scores = {part: records.read_scores(ctx.path(scores_file(samples, f"{policy}_{part}"))) for part in parts}
        labels = records.read_labels(ctx.path(labels_file(samples, "oracle"))) if has_oracle(ctx) else []
        joined = join(ctx.problems("validation"), records.read_samples(ctx.path(samples_file(samples))), scores, labels)
        for part, report in reward_models.report(joined)["reward_models"].items():
            found[f"{policy}_{part}"] = report
    return found


# Pairs of policies and decodings whose difference the paper's findings 1 and 4 are about.
COMPARED = (
    (("few_shot_final_answer_rl", "majority"), ("sft", "majority")),
    (("sft_orm_rl", "orm_weighted"), ("sft_final_answer_rl", "orm_weighted")),
    (("sft_prm_rl", "prm_weighted"), ("sft_final_answer_rl", "orm_weighted")),
    (("few_shot_orm_rl", "orm_weighted"), ("few_shot_final_answer_rl", "orm_weighted")),
    (("sft_orm_rl", "majority"), ("sft_final_answer_rl", "majority")),
    (("sft_prm_rl", "majority"), ("sft_final_answer_rl", "majority")),
    (("few_shot_final_answer_rl", "majority"), ("few_shot_orm_rl", "majority")),
)


def _differences(ctx: Context, evaluated: list[Evaluated]) -> Iterator[dict[str, Any]]:
    seed = ctx.settings.seed
    measured = {}
    for what in evaluated:
        found = read_measured(ctx, what, "test", [f"{what.policy.name}.test.drawn"])
        joined = join(found.problems, found.samples, dict(found.scores), found.labels)
        measured[what.policy.name] = outcomes.measure_all(joined, seed)
    for (a, how_a), (b, how_b) in COMPARED:
        if how_a in measured.get(a, {}) and how_b in measured.get(b, {}):
            gap = difference(measured[a][how_a], measured[b][how_b], seed=seed)
            yield {"a": [a, how_a], "b": [b, how_b], "set": "test", **gap}
