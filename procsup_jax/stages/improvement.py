"""Expert iteration: sample, keep, distil, for as many epochs as set; the paper's six rows but PRM-RL from few-shot."""

from __future__ import annotations

import dataclasses
import functools
import json
import shutil
from typing import Any, Literal

from procsup_jax import files, records
from procsup_jax.evals.outcomes import majority_error
from procsup_jax.improve import collect
from procsup_jax.roster import FEW_SHOT, ORM, ORM_RL, PRM, PRM_RL, SFT, method_of, rm_of, start_of
from procsup_jax.searching.aggregate import with_aggregate
from procsup_jax.stages.context import Context, model_files, problems_file
from procsup_jax.stages.solutions import (
    Policy,
    run_labels,
    run_samples,
    run_scores,
    run_search,
    samples_file,
    scores_file,
)
from procsup_jax.stages.stage import Stage
from procsup_jax.stages.training import run_distil, run_reward_model


@dataclasses.dataclass(frozen=True)
class Approach:
    """Describe one row of the paper's table "Expert iteration"."""

    name: str
    method: str
    start: Policy
    distil_from: str
    accumulate: Literal["all", "last"]
    retrain_rm: bool
    rm: str | None
    """The fixed reward model; None where it is retrained every epoch or not used."""


def approach(name: str, start: Policy) -> Approach:
    """Return the approach of a name such as sft_orm_rl, starting from the policy of its first part."""
    few_shot, method = start_of(name) == FEW_SHOT, method_of(name)
    fixed = {ORM_RL: None if few_shot else rm_of(SFT, ORM), PRM_RL: rm_of(SFT, PRM)}.get(method)
    return Approach(
        name=name,
        method=method,
        start=start,
        distil_from=start.model,
        accumulate="last" if few_shot else "all",
        retrain_rm=few_shot and method == ORM_RL,
        rm=fixed,
    )


def run_improvement(ctx: Context, plan: Approach) -> None:
    """Run all epochs of an approach; models/NAME is the best one's policy (and models/NAME_orm its reward model)."""
    run_epochs(ctx, plan)
    _run_choice(ctx, plan)


def run_epochs(ctx: Context, plan: Approach) -> None:
    """Run all epochs of an approach; models/NAME.epochN is the policy after N of them."""
    policy = plan.start
    valid = _run_round(ctx, plan, 0, "validation", policy)
    experts: list[str] = []
    for epoch in range(1, ctx.settings.improve.num_epochs + 1):
        rm = _run_rm(ctx, plan, epoch, policy)
        experts.append(_run_experts(ctx, plan, epoch, "rl", policy, rm))
        valid_experts = _run_experts(ctx, plan, epoch, "validation", policy, rm, drawn=valid)
        kept = experts if plan.accumulate == "all" else experts[-1:]
        name = epoch_name(plan, epoch)
        run_distil(ctx, name, plan.distil_from, kept, valid_experts)
        policy = Policy(plan.name, name)
        valid = _run_round(ctx, plan, epoch, "validation", policy)


def curve_file(name: str) -> str:
    """Return the name of the file with an approach's errors by epoch."""
    return f"curves/{name}.json"


def epoch_name(plan: Approach, epoch: int) -> str:
    """Return the name of an approach's policy after `epoch` epochs, which its files carry."""
    return f"{plan.name}.epoch{epoch}"


def _run_round(ctx: Context, plan: Approach, epoch: int, split: str, policy: Policy) -> str:
    """Sample a split from the policy after `epoch` epochs."""
    name = f"{_round_name(plan, epoch)}.{split}"
    run_samples(ctx, name, policy, split, ctx.settings.sample.num_samples)
    return name


def _run_rm(ctx: Context, plan: Approach, epoch: int, policy: Policy) -> str | None:
    """Retrain the reward model on this epoch's samples where the approach says so."""
    if not plan.retrain_rm:
        return plan.rm
    name = f"{epoch_name(plan, epoch)}.orm"
    train = _run_round(ctx, plan, epoch - 1, "rl", policy)
    valid = _run_round(ctx, plan, epoch - 1, "validation", policy)
    for samples, split in ((train, "rl"), (valid, "validation")):
        run_labels(ctx, samples, split, "outcome")
    run_reward_model(ctx, name, plan.distil_from, "outcome", ORM, (train, "rl"), (valid, "validation"))
    return name


def _run_experts(
    ctx: Context, plan: Approach, epoch: int, split: str, policy: Policy, rm: str | None, drawn: str | None = None
) -> str:
    """Write the expert samples of an epoch and return their name."""
    name = f"{epoch_name(plan, epoch)}.experts.{split}"
    if plan.method == PRM_RL:
        assert rm is not None
        drawn = f"{epoch_name(plan, epoch)}.search.{split}"
        run_search(ctx, drawn, policy, rm, None, split)
    else:
        drawn = drawn or _run_round(ctx, plan, epoch - 1, split, policy)
    inputs = [problems_file(split), samples_file(drawn)]
    settings: dict[str, Any] = {"config.seed": ctx.settings.seed}
    if plan.method == ORM_RL:
        assert rm is not None
        run_scores(ctx, drawn, split, rm)
        inputs.append(scores_file(drawn, rm))
        settings["config.improve.aggregate"] = ctx.settings.improve.aggregate
    work = functools.partial(keep_experts, ctx, plan, name, split, drawn, rm)
    ctx.folder.run(Stage(f"keep-{name}", settings, inputs, (samples_file(name),), work))
    return name


def keep_experts(ctx: Context, plan: Approach, name: str, split: str, drawn: str, rm: str | None) -> None:
    """Write as samples `name` those of samples `drawn` that an approach learns from; ORM-RL reads `rm`'s scores."""
    problems, samples = ctx.problems(split), records.read_samples(ctx.path(samples_file(drawn)))
    if plan.method == PRM_RL:
        kept = collect.as_searched(samples)
    elif plan.method == ORM_RL:
        assert rm is not None
        scores = records.read_scores(ctx.path(scores_file(drawn, rm)))
        kept = collect.best_scored(samples, with_aggregate(scores, ctx.settings.improve.aggregate))
    elif plan.accumulate == "last":
        kept = collect.all_correct(problems, samples)
    else:
        kept = collect.one_correct(problems, samples, ctx.seed(name))
    records.write_samples(ctx.path(samples_file(name)), kept)


def _run_choice(ctx: Context, plan: Approach) -> None:
    """Measure every epoch's policy and keep the best one under the approach's own name."""
    by, num = ctx.settings.improve.choose_epoch_by, ctx.settings.improve.num_epochs
    names = [epoch_name(plan, epoch) for epoch in range(1, num + 1)]
    if by == "test":
        for epoch in range(num + 1):
            policy = Policy(plan.name, names[epoch - 1]) if epoch else plan.start
            _run_round(ctx, plan, epoch, "test", policy)
    samples = _epoch_samples(plan, by, num)
    inputs = [problems_file(by), *map(samples_file, samples), *(file for name in names for file in model_files(name))]
    outputs = [*model_files(plan.name), curve_file(plan.name)]
    if plan.retrain_rm:
        inputs += [file for name in names for file in model_files(f"{name}.orm")]
        outputs += model_files(rm_of(plan.name, ORM))
    settings = {
        "config.improve.choose_epoch_by": by,
        "config.improve.num_epochs": num,
        "config.seed": ctx.settings.seed,
    }
    ctx.folder.run(Stage(f"choose-{plan.name}", settings, inputs, outputs, functools.partial(_choose, ctx, plan)))


def _choose(ctx: Context, plan: Approach) -> None:
    by, (errors, best) = ctx.settings.improve.choose_epoch_by, choose_epoch(ctx, plan)
    rows = [{"epoch": epoch, f"{by}_error": error, "chosen": epoch == best} for epoch, error in enumerate(errors)]
    chosen = epoch_name(plan, best)
    _copy_model(ctx, chosen, plan.name)
    if plan.retrain_rm:
        _copy_model(ctx, f"{chosen}.orm", rm_of(plan.name, ORM))
    files.write_text(ctx.path(curve_file(plan.name)), json.dumps(rows) + "\n")


def choose_epoch(ctx: Context, plan: Approach) -> tuple[list[float], int]:
    """Return the final-answer error after each epoch, the start's first, and the epoch of the lowest, from 1 on."""
    by, num = ctx.settings.improve.choose_epoch_by, ctx.settings.improve.num_epochs
    files_of_epochs = map(samples_file, _epoch_samples(plan, by, num))
    problems, seed = ctx.problems(by), ctx.settings.seed
    errors = [majority_error(problems, records.read_samples(ctx.path(name)), seed) for name in files_of_epochs]
    return errors, min(range(1, num + 1), key=lambda epoch: (errors[epoch], epoch))


def _epoch_samples(plan: Approach, split: str, num_epochs: int) -> list[str]:
    return [f"{_round_name(plan, epoch)}.{split}" for epoch in range(num_epochs + 1)]


def _round_name(plan: Approach, epoch: int) -> str:
    """Name the policy after `epoch` epochs; approaches with the same start share the samples before the first."""
    return epoch_name(plan, epoch) if epoch else f"{FEW_SHOT if plan.start.few_shot else SFT}.epoch0"


def _copy_model(ctx: Context, source: str, target: str) -> None:
    with files.whole_folder(ctx.path(f"models/{target}")) as folder:
        shutil.copytree(ctx.path(f"models/{source}"), folder, dirs_exist_ok=True)
