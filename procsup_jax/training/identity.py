"""What makes two fits the same one, so that a checkpoint is never continued by another."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax
import optax

from procsup_jax.data.pack import Packed
from procsup_jax.errors import UserError
from procsup_jax.models import api
from procsup_jax.training.settings import REPLACED, FitSettings

_norm = jax.jit(optax.tree.norm)
# What a fit replaces of the model is in the model's config by then.
UNIMPORTANT = ("optim", "checkpoint_every", "log_every", *REPLACED)
PARAMS = "norm of the initial parameters"


def identity(
    network: api.Network, train: Packed, valid: Packed | None, settings: FitSettings, seed: int
) -> dict[str, Any]:
    """Return everything that the result depends on, flat and ready for JSON; the parameters by their norm.

    A constant learning rate allows a finished fit to be prolonged, so its number of steps is no part of it.
    """
    values: dict[str, Any] = {"seed": seed, "train data": train.digest, PARAMS: float(_norm(network.params))}
    values["validation data"] = valid.digest if valid is not None else None
    values["head"] = api.head_to_json(network.head)
    values.update({f"model.{k}": v for k, v in network.config.to_json().items()})
    values.update({k: v for k, v in dataclasses.asdict(settings).items() if k not in UNIMPORTANT})
    values.update({f"optim.{k}": v for k, v in dataclasses.asdict(settings.optim).items()})
    if settings.optim.schedule == "constant":
        del values["num_steps"]
    return values


def check_same(found: dict[str, Any], wanted: dict[str, Any], folder: object) -> None:
    """Raise UserError naming the first difference between a checkpoint's identity and the fit that is to continue."""
    for name in sorted(found.keys() | wanted.keys()):
        same = found.get(name) == wanted.get(name)
        if name == PARAMS and name in found:  # sums over shards differ in their last bits
            same = math.isclose(found[name], wanted[name], rel_tol=1e-5)
        if not same:
            raise UserError(
                f"{folder} holds a checkpoint of another fit: {name} was {found.get(name)}, now {wanted.get(name)}; "
                "restore the setting, choose another workdir, or delete that folder to start afresh"
            )
