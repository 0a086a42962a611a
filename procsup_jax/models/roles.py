"""What a model is for, as its folder says: a policy has no head, a reward model has one and is an ORM or a PRM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from procsup_jax.errors import UserError
from procsup_jax.models.heads import Head
from procsup_jax.roster import JUDGES, named_in, task_of


def check_policy(name: str, head: Head | None, remedy: str = "give a policy to write solutions") -> None:
    """Raise UserError where a model is a reward model, which was not trained to write."""
    if head is not None:
        raise UserError(f"{name} is a reward model (its head is {head.kind}): {remedy}")


def check_judge(name: str, head: Head | None) -> None:
    """Raise UserError where a model is a policy."""
    if head is None:
        raise UserError(
            f"{name} is no reward model, as its model.json names no head: give one that was trained as such"
        )


def check_called(model: str, metadata: Mapping[str, Any], judge: str) -> None:
    """Raise UserError where a reward model that is an ORM is to be called "prm", or the other way round."""
    task = task_of(metadata)
    found = {task} if task else named_in(model, JUDGES)
    if judge in JUDGES and found and judge not in found:
        [other, *_] = sorted(found)
        raise UserError(
            f"{model} is a reward model of the kind {other}, and would be called {judge} in what it chooses: pass "
            f"--judge={other}, or --force"
        )
