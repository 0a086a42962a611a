"""A whole experiment: which stages there are, in which order, for one config."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from procsup_jax import files
from procsup_jax.report.page import build_report
from procsup_jax.report.table import text_table
from procsup_jax.roster import FEW_SHOT, FINAL_ANSWER_RL, ORM, ORM_RL, PRM, SFT, method_of, rm_of, start_of
from procsup_jax.stages import base as base_stage
from procsup_jax.stages import results as result_stages
from procsup_jax.stages.checks import check_models
from procsup_jax.stages.context import Context
from procsup_jax.stages.data import run_data
from procsup_jax.stages.evaluation import Evaluated, run_evaluation
from procsup_jax.stages.improvement import approach, run_improvement
from procsup_jax.stages.solutions import Policy, run_labels, run_samples
from procsup_jax.stages.stage import CheckedFolder
from procsup_jax.stages.supervision import run_supervision
from procsup_jax.stages.surprise import run_surprise
from procsup_jax.stages.training import run_reward_model, run_sft

RM_SPLITS = ("rm", "validation")


def run_experiment(ctx: Context) -> dict[str, Any]:
    """Run every stage that is not finished and return the results that results.json holds.

    The settings of all of them are checked first, against what is there and what finished stages were made with.
    """
    check_experiment(ctx)
    return _publish(ctx, _run_stages(ctx))


def check_experiment(ctx: Context) -> None:
    """Raise UserError for settings that a stage would refuse, and for those of a finished stage that have changed."""
    folder = CheckedFolder(ctx.folder)
    folder.check_markers()
    check_models(ctx)
    _run_stages(dataclasses.replace(ctx, folder=folder))


def _run_stages(ctx: Context) -> list[Evaluated]:
    """Run the stages one after the other, and return the policies that were evaluated."""
    run_data(ctx)
    base_stage.run_base(ctx)
    few_shot, sft = Policy(FEW_SHOT, base_stage.BASE, few_shot=True), Policy(SFT, SFT)
    run_sft(ctx, SFT, base_stage.BASE)
    process = ctx.settings.process_labels
    orm, prm, few_shot_orm = rm_of(SFT, ORM), rm_of(SFT, PRM), rm_of(FEW_SHOT, ORM)
    _reward_model(ctx, sft, SFT, (ORM, orm, SFT, "outcome"), (PRM, prm, orm, process))
    _reward_model(ctx, few_shot, FEW_SHOT, (ORM, few_shot_orm, base_stage.BASE, "outcome"))
    evaluated = [Evaluated(few_shot, few_shot_orm, None), Evaluated(sft, orm, prm)]
    for name in ctx.settings.improve.approaches:
        start = few_shot if start_of(name) == FEW_SHOT else sft
        run_improvement(ctx, approach(name, start))
        evaluated.append(_evaluated(ctx, name, start))
    for split in result_stages.evaluation_sets(ctx):
        for what in evaluated:
            run_evaluation(ctx, what, split)
    result_stages.run_lookup(ctx)
    run_surprise(ctx)
    result_stages.run_reward_model_report(ctx, evaluated)
    result_stages.run_differences(ctx, evaluated)
    run_supervision(ctx)
    return evaluated


def _reward_model(ctx: Context, policy: Policy, samples: str, *models: tuple[str, str, str, Any]) -> None:
    """Sample from a policy and train reward models on it, each given as (settings, name, start, label kind)."""
    for split in RM_SPLITS:
        run_samples(ctx, f"{samples}.{split}", policy, split, ctx.settings.rm_samples, set_by="config.rm_samples")
    train, valid = ((f"{samples}.{split}", split) for split in RM_SPLITS)
    for group, name, start, kind in models:
        for each, split in (train, valid):
            run_labels(ctx, each, split, kind)
        run_reward_model(ctx, name, start, kind, group, train, valid)


def _evaluated(ctx: Context, name: str, start: Policy) -> Evaluated:
    """Say which reward models rerank an improved policy.

    ORM-RL keeps the one it was trained against; a Final-Answer RL policy gets one of its own, as the paper trains
    each on samples "from the policy of that approach", or else its start's; the PRM exists for the SFT-based ones.
    """
    policy, prm = Policy(name, name), None if start.few_shot else rm_of(SFT, PRM)
    own = rm_of(name, ORM)
    if start.few_shot and method_of(name) == ORM_RL:
        return Evaluated(policy, own, prm)
    if method_of(name) == FINAL_ANSWER_RL and ctx.settings.improve.own_orm:
        _reward_model(ctx, policy, name, (ORM, own, start.model, "outcome"))
        return Evaluated(policy, own, prm)
    return Evaluated(policy, rm_of(start.name, ORM), prm)


def _publish(ctx: Context, evaluated: list[Evaluated]) -> dict[str, Any]:
    """Write results.json, examples.jsonl and report.html, and print the table."""
    results, examples = result_stages.gather(ctx, evaluated), result_stages.read_examples(ctx, evaluated)
    files.write_text(ctx.path("examples.jsonl"), "".join(json.dumps(row) + "\n" for row in examples))
    files.write_text(ctx.path("results.json"), json.dumps(results, indent=1) + "\n")
    build_report(results, examples, ctx.path("report.html"))
    print(text_table(results))
    print(f"results: {ctx.path('results.json')}\nreport:  {ctx.path('report.html')}")
    return results
