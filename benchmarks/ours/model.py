"""What our contenders share: the model and the vocabulary of a task, and the versions they run with."""

from __future__ import annotations

import importlib.metadata
from typing import NamedTuple

import flax
import jax
import jax.numpy as jnp

from benchmarks import weights
from benchmarks.workload import Task
from procsup_jax.decode import generate
from procsup_jax.models import api
from procsup_jax.text.vocab import Vocab

THREADS = 1


class Loaded(NamedTuple):
    """Hold a task's model and vocabulary."""

    config: api.ModelConfig
    params: api.Params
    vocab: Vocab


def load(task: Task, **changes: str) -> Loaded:
    """Return the model and vocabulary in a task's folder, with changes to fields of the model's config."""
    config = weights.model_config(task.shape, **{"dtype": task.dtype, **changes})
    params = jax.tree.map(jnp.asarray, weights.load(task.weights, config))
    return Loaded(config, params, Vocab.load(f"{task.folder}/vocab.model"))


def versions() -> dict[str, str]:
    """Return the versions of what the work is done with."""
    ours = importlib.metadata.version("procsup_jax")
    gpus = {device.device_kind for device in jax.devices() if device.platform == "gpu"}
    return {"procsup_jax": ours, "jax": jax.__version__, "flax": flax.__version__, **dict.fromkeys(gpus, "")}


def next_logits(loaded: Loaded, prompt: list[int]) -> list[float]:
    """Return the logits after a prompt, by way of the cache as in decoding."""
    config = loaded.config
    dparams = generate.decoder_params(config, loaded.params)
    read, one = jnp.array([prompt[:-1]]), jnp.zeros((1, 1), jnp.int32)
    _, prefix = api.prefill(config, dparams, read, jnp.array([len(prompt) - 1]))
    newest, suffix = jnp.array([[[prompt[-1]]]]), api.init_kv(config, 1, 1)
    hidden, _ = api.extend(config, dparams, newest, prefix, jnp.array([len(prompt) - 1]), suffix, one)
    return [float(each) for each in api.unembed(config, dparams, hidden)[0, 0, 0]]
