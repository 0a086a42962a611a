"""Do scores stand under the name of the reward model that gave them, as far as they tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from procsup_jax.errors import UserError
from procsup_jax.roster import JUDGES, named_in
from procsup_jax.types import Score

RM_TASK = "rm_task"


def check_judges(scores: Mapping[str, Sequence[Score]]) -> None:
    """Raise UserError for scores that say they are another judge's than the one they are given as, or of several.

    A score tells by `rm`, the name of its reward model, and by `rm_task`, what that was trained as.
    """
    for judge, records in scores.items():
        tasks = {task for each in records if (task := each.extra.get(RM_TASK)) in JUDGES}
        if judge in JUDGES and tasks and tasks != {judge}:
            raise _exchanged(judge, f'their "{RM_TASK}" is {sorted(tasks - {judge})[0]}')
        models = sorted({each.rm for each in records if each.rm})
        if len(models) > 1:
            raise UserError(
                f"scores by {judge} are of {len(models)} reward models ({models[0]}, {models[1]}): give each its own "
                "name, --scores=NAME=FILE, or --force"
            )
        others = {*scores, *(JUDGES if judge in JUDGES else ())} - {judge}
        if not tasks and models and not named_in(models[0], [judge]) and named_in(models[0], others):
            raise _exchanged(judge, f'their "rm" is {models[0]}')


def _exchanged(judge: str, why: str) -> UserError:
    return UserError(
        f"scores given as {judge} are another reward model's, as {why}: are the files exchanged? give "
        "--scores=NAME=FILE with the name that fits, or --force"
    )
