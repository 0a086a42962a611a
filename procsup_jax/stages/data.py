"""The problem files of a run."""

from __future__ import annotations

import functools
import random

from procsup_jax import records
from procsup_jax.data import gsm8k, word_problems
from procsup_jax.data.worlds import splits
from procsup_jax.errors import UserError
from procsup_jax.stages.context import Context, problems_file
from procsup_jax.stages.stage import Stage, used
from procsup_jax.types import Problem

SPLITS = ("sft", "rm", "rl", "validation", "test")


def splits_of(ctx: Context) -> tuple[str, ...]:
    """Return the names of the run's splits; "ood" is left out where there is none."""
    data = ctx.settings.data
    has_ood = data.num_ood > 0 if data.kind == "worlds" else bool(data.ood_path)
    return (*SPLITS, "ood") if has_ood else SPLITS


def run_data(ctx: Context) -> None:
    """Write one problems file a split."""
    names = splits_of(ctx)
    settings = {"config.seed": ctx.settings.seed, **used("data", ctx.settings.data)}
    write = functools.partial(_write, ctx, names)
    ctx.folder.run(Stage("data", settings, (), [problems_file(name) for name in names], write))


def _write(ctx: Context, names: tuple[str, ...]) -> None:
    made = _worlds(ctx) if ctx.settings.data.kind == "worlds" else _gsm8k(ctx)
    for name in names:
        if not made[name]:
            raise UserError(f"split {name} is empty; raise --config.data.num_{name}")
        records.write_problems(ctx.path(problems_file(name)), made[name])


def _worlds(ctx: Context) -> dict[str, list[Problem]]:
    data, seed = ctx.settings.data, ctx.settings.seed
    drawn = {
        name: splits.problems(name, getattr(data, f"num_{name}"), seed=seed, settings=data.world) for name in SPLITS
    }
    return {**drawn, "ood": splits.problems("ood", data.num_ood, seed=seed, settings=data.ood_world)}


def _gsm8k(ctx: Context) -> dict[str, list[Problem]]:
    """SFT, reward models and RL all train on the same problems, as in the paper."""
    data, seed = ctx.settings.data, ctx.settings.seed
    path = data.path or None
    train, validation = gsm8k.split_validation(gsm8k.load_gsm8k("train", path), 256, seed)
    order = random.Random(seed)
    made = {name: _some(order, train, getattr(data, f"num_{name}")) for name in ("sft", "rm", "rl")}
    made["validation"] = _some(order, validation, data.num_validation)
    made["test"] = _some(order, gsm8k.load_gsm8k("test", path), data.num_test)
    ood = word_problems.load("math_prealgebra", data.ood_path, "test") if data.ood_path else []
    return {**made, "ood": _some(order, ood, data.num_ood)}


def _some(order: random.Random, problems: list[Problem], num: int) -> list[Problem]:
    """Return `num` of the problems, drawn at random and kept in order; 0 or too many: all."""
    if not 0 < num < len(problems):
        return problems
    return [problems[i] for i in sorted(order.sample(range(len(problems)), num))]
