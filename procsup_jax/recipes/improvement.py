"""Expert iteration: sample, keep, distil, for as many epochs as set; the paper's six rows but PRM-RL from few-shot."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from procsup_jax.recipes.artefacts import ModelFolder, Problems, Samples, Scores, curve
from procsup_jax.recipes.settings import ExperimentSettings
from procsup_jax.recipes.solutions import Policy, draw, label, score, search
from procsup_jax.recipes.training import Fit, Labelled, distil, reward_model
from procsup_jax.recipes.work import Ctx, seed
from procsup_jax.roster import FEW_SHOT, ORM, ORM_RL, PRM, PRM_RL, RL_SPLIT, SFT, VALIDATION, method_of, rm_of, start_of
from procsup_jax.runner.stage import Stage
from procsup_jax.types import Problem, Sample, Score

_TRAIN, _VALID = Problems(RL_SPLIT), Problems(VALIDATION)


@dataclasses.dataclass(frozen=True)
class Approach:
    """Describe one row of the paper's table "Expert iteration"."""

    name: str
    method: str
    start: Policy
    distil_from: ModelFolder
    accumulate: Literal["all", "last"]
    retrain_rm: bool
    rm: ModelFolder | None
    """The fixed reward model; None where it is retrained every epoch or not used."""

    @property
    def model(self) -> ModelFolder:
        """Return where the best epoch's policy is kept."""
        return ModelFolder(self.name)

    @property
    def own_rm(self) -> ModelFolder:
        """Return where the reward model of the best epoch is kept, where it is retrained."""
        return ModelFolder(rm_of(self.name, ORM))

    def epoch(self, epoch: int) -> str:
        """Return what the policy after `epoch` epochs is called; all that start from one share it before the first."""
        start = FEW_SHOT if self.start.shown else SFT
        return f"{self.name if epoch else start}.epoch{epoch}"

    def policy(self, epoch: int) -> Policy:
        """Return the policy after `epoch` epochs; after none it is the start."""
        return Policy(self.name, ModelFolder(self.epoch(epoch))) if epoch else self.start

    def rm_of_epoch(self, epoch: int) -> ModelFolder:
        """Return the reward model that is retrained for an epoch."""
        return ModelFolder(f"{self.epoch(epoch)}.{ORM}")

    def judge(self, epoch: int) -> ModelFolder | None:
        """Return the reward model that the policy after `epoch` epochs has learned from, the start's the first's.

        None for an approach that learns from none.
        """
        return self.rm_of_epoch(max(epoch, 1)) if self.retrain_rm else self.rm

    def drawn(self, epoch: int, problems: Problems) -> Samples:
        """Return the samples of the policy after `epoch` epochs."""
        return Samples.of(self.epoch(epoch), problems)

    def searched(self, epoch: int, problems: Problems) -> Samples:
        """Return the solutions that an epoch searches with its reward model."""
        return Samples.of(f"{self.epoch(epoch)}.search", problems)

    def experts(self, epoch: int, problems: Problems) -> Samples:
        """Return the samples that an epoch keeps to learn from."""
        return Samples.of(f"{self.epoch(epoch)}.experts", problems)


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
        rm=None if fixed is None else ModelFolder(fixed),
    )


def improvement(settings: ExperimentSettings, plan: Approach) -> Iterator[Stage]:
    """Run all epochs of an approach; models/NAME is the best one's policy (and models/NAME_orm its reward model)."""
    yield from epochs(settings, plan)
    yield from _choice(settings, plan)


def epochs(settings: ExperimentSettings, plan: Approach) -> Iterator[Stage]:
    """Run all epochs of an approach; models/NAME.epochN is the policy after N of them."""
    yield _round(plan, 0, _VALID)
    for epoch in range(1, settings.improve.num_epochs + 1):
        rm = plan.rm_of_epoch(epoch) if plan.retrain_rm else plan.rm
        if plan.retrain_rm:
            yield from _retraining(plan, epoch)
        for problems in (_TRAIN, _VALID):
            yield from _keeping(plan, epoch, problems, rm)
        first = 1 if plan.accumulate == "all" else epoch
        kept = tuple(plan.experts(each, _TRAIN) for each in range(first, epoch + 1))
        fit = Fit(plan.policy(epoch).model, plan.distil_from, "distil")
        yield distil(fit, kept, plan.experts(epoch, _VALID), _TRAIN, _VALID)
        yield _round(plan, epoch, _VALID)


def _round(plan: Approach, epoch: int, problems: Problems) -> Stage:
    """Sample a split from the policy after `epoch` epochs."""
    return draw(plan.drawn(epoch, problems), plan.policy(epoch), problems)


def _retraining(plan: Approach, epoch: int) -> Iterator[Stage]:
    """Train the reward model of an epoch on samples of the policy before it."""
    train, valid = (Labelled(plan.drawn(epoch - 1, problems), problems, "outcome") for problems in (_TRAIN, _VALID))
    for each in (train, valid):
        yield _round(plan, epoch - 1, each.problems)
    for each in (train, valid):
        yield label(each.samples, each.problems, each.source, plan.distil_from)
    yield reward_model(Fit(plan.rm_of_epoch(epoch), plan.distil_from, ORM), train, valid)


def _keeping(plan: Approach, epoch: int, problems: Problems, rm: ModelFolder | None) -> Iterator[Stage]:
    """Keep the expert samples of an epoch."""
    policy = plan.policy(epoch - 1)
    if plan.method == PRM_RL:
        assert rm is not None
        drawn = plan.searched(epoch, problems)
        yield search(drawn, policy, rm, problems)
    else:
        drawn = plan.drawn(epoch - 1, problems)
        yield _round(plan, epoch - 1, problems)
    inputs: list[Any] = [problems, drawn]
    scores = None
    if plan.method == ORM_RL:
        assert rm is not None
        yield score(drawn, problems, rm)
        scores = Scores(drawn, rm.name)
        inputs.append(scores)
    kept = plan.experts(epoch, problems)
    yield Stage(f"keep-{kept.name}", keep, (plan, kept, problems, drawn, scores), inputs=inputs, outputs=(kept,))


def keep(
    ctx: Ctx, plan: Approach, kept: Samples, problems: Problems, drawn: Samples, scores: Scores | None
) -> Mapping[Samples, Sequence[Sample]]:
    """Return those of the samples drawn that an approach learns from; ORM-RL reads the scores."""
    from procsup_jax.improve import collect
    from procsup_jax.searching.aggregate import with_aggregate

    samples: Sequence[Sample] = ctx.read(drawn)
    if plan.method == PRM_RL:
        found = collect.as_searched(samples)
    elif plan.method == ORM_RL:
        assert scores is not None
        found = collect.best_scored(samples, with_aggregate(ctx.read(scores), ctx.settings.improve.aggregate))
    elif plan.accumulate == "last":
        found = collect.all_correct(ctx.read(problems), samples)
    else:
        found = collect.one_correct(ctx.read(problems), samples, seed(ctx, kept.name))
    return {kept: found}


def _choice(settings: ExperimentSettings, plan: Approach) -> Iterator[Stage]:
    """Measure every epoch's policy and keep the best one under the approach's own name."""
    num, problems = settings.improve.num_epochs, Problems(settings.improve.choose_epoch_by)
    for epoch in range(num + 1):
        yield _round(plan, epoch, problems)
    yield from epoch_scoring(settings, plan)
    inputs: list[Any] = [problems, *(plan.drawn(epoch, problems) for epoch in range(num + 1))]
    inputs += [scores for scores in epoch_scores(settings, plan) if scores is not None]
    inputs += [plan.policy(epoch).model for epoch in range(1, num + 1)]
    outputs: list[Any] = [plan.model, curve(plan.name)]
    if plan.retrain_rm:
        inputs += [plan.rm_of_epoch(epoch) for epoch in range(1, num + 1)]
        outputs.append(plan.own_rm)
    yield Stage(f"choose-{plan.name}", _choose, (plan,), inputs=inputs, outputs=outputs)


def epoch_scoring(settings: ExperimentSettings, plan: Approach) -> Iterator[Stage]:
    """Score the samples that choose an epoch, where a reward model's vote does."""
    problems = Problems(settings.improve.choose_epoch_by)
    for epoch, scores in enumerate(epoch_scores(settings, plan)):
        judge = plan.judge(epoch)
        if scores is not None and judge is not None:
            yield score(plan.drawn(epoch, problems), problems, judge)


def epoch_scores(settings: ExperimentSettings, plan: Approach) -> list[Scores | None]:
    """Return by which scores the policy after each epoch is measured, the start's first; None by majority."""
    problems = Problems(settings.improve.choose_epoch_by)
    is_judged = settings.improve.choose_epoch_with == "reward_model"
    judges = [plan.judge(epoch) if is_judged else None for epoch in range(settings.improve.num_epochs + 1)]
    return [
        None if judge is None else Scores(plan.drawn(epoch, problems), judge.name) for epoch, judge in enumerate(judges)
    ]


def _choose(ctx: Ctx, plan: Approach) -> Mapping[Any, Any]:
    by, num = ctx.settings.improve.choose_epoch_by, ctx.settings.improve.num_epochs
    problems = Problems(by)
    samples = [ctx.read(plan.drawn(epoch, problems)) for epoch in range(num + 1)]
    scores = [None if each is None else ctx.read(each) for each in epoch_scores(ctx.settings, plan)]
    errors, best = choose_epoch(ctx.read(problems), samples, scores, ctx.settings.seed)
    found: dict[Any, Any] = {
        plan.model: ctx.read(plan.policy(best).model),
        curve(plan.name): [
            {"epoch": epoch, f"{by}_error": error, "chosen": epoch == best} for epoch, error in enumerate(errors)
        ],
    }
    if plan.retrain_rm:
        found[plan.own_rm] = ctx.read(plan.rm_of_epoch(best))
    return found


def choose_epoch(
    problems: Sequence[Problem],
    samples: Sequence[Sequence[Sample]],
    scores: Sequence[Sequence[Score] | None],
    seed: int,
) -> tuple[list[float], int]:
    """Return the final-answer error after each epoch, the start's first, and the epoch of the lowest, from 1 on.

    `samples` are those drawn after each epoch, the start's first; their `scores` weight the vote, None is majority's.
    """
    from procsup_jax.evals.outcomes import majority_error, weighted_error

    errors = [
        majority_error(problems, drawn, seed) if judged is None else weighted_error(problems, drawn, judged)
        for drawn, judged in zip(samples, scores, strict=True)
    ]
    return errors, min(range(1, len(samples)), key=lambda epoch: (errors[epoch], epoch))
