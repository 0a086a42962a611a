"""What our contenders share: the model of a task, and the versions they run with."""

from __future__ import annotations

import dataclasses
import importlib.metadata

import flax
import jax
import jax.numpy as jnp

from benchmarks.workload import Task
from procsup_jax.io.models import load_model
from procsup_jax.models import api
from procsup_jax.models.model import Model

THREADS = 1


def load(task: Task, dtype: str = "") -> Model:
    """Return the task's model, which computes in its type unless another is given."""
    model = load_model(task.model)
    return model.replace(config=dataclasses.replace(model.config, dtype=dtype or task.dtype))


def as_reward_model(model: Model) -> Model:
    """Return the same parameters read as a reward model."""
    return model.with_head(api.make_head("verdict", model.encoding.verdict_ids))


def versions() -> dict[str, str]:
    """Return the versions of what the work is done with."""
    ours = importlib.metadata.version("procsup_jax")
    gpus = {device.device_kind for device in jax.devices() if device.platform == "gpu"}
    return {"procsup_jax": ours, "jax": jax.__version__, "flax": flax.__version__, **dict.fromkeys(gpus, "")}


def next_logits(model: Model, prompt: list[int]) -> list[float]:
    """Return the logits after a prompt, by way of the cache as in decoding."""
    config = model.config
    dparams = api.unstack(config, model.params, donate=False)
    read, one = jnp.array([prompt[:-1]]), jnp.zeros((1, 1), jnp.int32)
    _, prefix = api.prefill(config, dparams, read, jnp.array([len(prompt) - 1]))
    newest, suffix = jnp.array([[[prompt[-1]]]]), api.init_kv(config, 1, 1)
    hidden, _ = api.extend(config, dparams, newest, prefix, jnp.array([len(prompt) - 1]), suffix, one)
    return [float(each) for each in api.unembed(config, dparams, hidden)[0, 0, 0]]
