"""The problem files of a run."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from procsup_jax.errors import UserError
from procsup_jax.recipes.artefacts import Problems
from procsup_jax.recipes.settings import ExperimentSettings
from procsup_jax.recipes.work import Ctx
from procsup_jax.roster import (
    EVALUATION_SETS,
    OOD,
    RL_SPLIT,
    RM_SPLIT,
    SFT_SPLIT,
    SHORT,
    SPLITS,
    TEST,
    VALIDATION,
    WORD_PROBLEMS,
)
from procsup_jax.runner.stage import Stage
from procsup_jax.runner.view import whole
from procsup_jax.text import answers
from procsup_jax.text.steps import split_steps
from procsup_jax.types import Problem

_NUM_HELD_OUT = 256


def splits_of(settings: ExperimentSettings) -> tuple[Problems, ...]:
    """Return a run's splits; "ood" and the sets of other word problems are left out where there are none."""
    data = settings.data
    if data.kind == "worlds":
        return tuple(map(Problems, (*SPLITS, OOD) if data.num_ood > 0 else SPLITS))
    further = [name for name in WORD_PROBLEMS if getattr(data, f"{name}_path")]
    has = {SHORT: data.short_steps > 0, OOD: bool(data.ood_path)}
    return tuple(map(Problems, (*SPLITS, *(name for name, is_there in has.items() if is_there), *further)))


def evaluation_sets(settings: ExperimentSettings) -> list[Problems]:
    """Return the splits that policies are evaluated on."""
    return [problems for problems in splits_of(settings) if problems.split in EVALUATION_SETS]


def has_oracle(settings: ExperimentSettings) -> bool:
    """Return whether the run's problems carry the graph that the oracle needs."""
    return settings.data.kind == "worlds"


def problems(settings: ExperimentSettings) -> Stage:
    """Make the problems of `config.data`, one file a split."""
    return Stage("data", _problems, outputs=splits_of(settings))


def _problems(ctx: Ctx) -> Mapping[Problems, list[Problem]]:
    splits = splits_of(ctx.settings)
    made = _worlds(ctx, splits) if ctx.settings.data.kind == "worlds" else _gsm8k(ctx, splits)
    for each in splits:
        if not made[each.split]:
            setting = "short_steps" if each.split == SHORT else f"num_{each.split}"
            raise UserError(f"split {each.split} is empty; raise --config.data.{setting}")
    return {each: made[each.split] for each in splits}


def _worlds(ctx: Ctx, splits: Sequence[Problems]) -> dict[str, list[Problem]]:
    from procsup_jax.data.worlds import splits as worlds

    data, made = ctx.settings.data, {}
    for name in (each.split for each in splits):
        world = whole(data.ood_world if name == OOD else data.world)
        made[name] = worlds.problems(name, getattr(data, f"num_{name}"), seed=ctx.settings.seed, settings=world)
    return made


def _gsm8k(ctx: Ctx, splits: Sequence[Problems]) -> dict[str, list[Problem]]:
    """SFT, reward models and RL all train on the same problems, as in the paper."""
    from procsup_jax.data import gsm8k, word_problems

    data, seed = ctx.settings.data, ctx.settings.seed
    path = data.path or None
    train, validation = gsm8k.split_validation(gsm8k.load_gsm8k("train", path), _NUM_HELD_OUT, data.split_seed)
    order = random.Random(seed)
    made = {name: _some(order, train, getattr(data, f"num_{name}")) for name in (SFT_SPLIT, RM_SPLIT, RL_SPLIT)}
    made[VALIDATION] = _some(order, validation, data.num_validation)
    made[TEST] = _some(order, gsm8k.load_gsm8k("test", path), data.num_test)
    if Problems(OOD) in splits:
        made[OOD] = _some(order, word_problems.load("math_prealgebra", data.ood_path, "test"), data.num_ood)
    for name in (each.split for each in splits if each.split in WORD_PROBLEMS):
        found = word_problems.load(name, getattr(data, f"{name}_path"))
        made[name] = _some(order, [problem for problem in found if answers.is_answer(problem.answer)], data.num_ood)
    if Problems(SHORT) in splits:
        # The step with the answer is the last one.
        made[SHORT] = [each for each in made[TEST] if len(split_steps(each.solution or "")) <= data.short_steps + 1]
    return made


def _some(order: random.Random, problems: list[Problem], num: int) -> list[Problem]:
    """Return `num` of the problems, drawn at random and kept in order; 0 or too many: all."""
    if not 0 < num < len(problems):
        return problems
    return [problems[i] for i in sorted(order.sample(range(len(problems)), num))]
