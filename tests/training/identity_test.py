import dataclasses
import json

import jax
import pytest

from procsup_jax.errors import UserError
from procsup_jax.models import api
from procsup_jax.training.identity import check_same, identity
from procsup_jax.training.settings import FitSettings, OptimSettings

SETTINGS = FitSettings(OptimSettings(schedule="cosine"))


@pytest.fixture
def values(config, params, make_documents):
    """Return a function to the identity with some arguments changed."""
    arguments = {
        "network": api.Network(config, params), "train": make_documents(3, 0), "valid": make_documents(3, 1),
        "settings": SETTINGS, "seed": 0,
    }  # fmt: skip
    return lambda **changes: json.loads(json.dumps(identity(**{**arguments, **changes})))


def test_what_changes_the_result_is_seen(values, config, params, make_documents):
    changes = {
        "model.dropout was 0.0, now 0.1": {"network": api.Network(dataclasses.replace(config, dropout=0.1), params)},
        "norm of the initial parameters was": {
            "network": api.Network(config, jax.tree.map(lambda x: x * 1.001, params))
        },
        "head was None, now .*product": {"network": api.Network(config, params, api.ProductHead())},
        "train data was": {"train": make_documents(3, 2)},
        "validation data was .* now None": {"valid": None},
        "batch_size was 32, now 16": {"settings": dataclasses.replace(SETTINGS, batch_size=16)},
        "num_steps was 1000, now 1001": {"settings": dataclasses.replace(SETTINGS, num_steps=1001)},
        "optim.b1 was 0.9, now 0.8": {"settings": FitSettings(dataclasses.replace(SETTINGS.optim, b1=0.8))},
        "seed was 0, now 1": {"seed": 1},
    }
    for message, change in changes.items():
        with pytest.raises(UserError, match=f"^work/f holds a checkpoint of another fit: {message}"):
            check_same(values(), values(**change), "work/f")


def test_what_changes_no_result_is_not(values, config, params):
    often = dataclasses.replace(SETTINGS, checkpoint_every=7, log_every=3)
    last_bits = jax.tree.map(lambda x: x * (1 + 1e-7), params)
    check_same(values(), values(settings=often, network=api.Network(config, last_bits)), "work/f")


def test_a_constant_rate_allows_other_lengths(values):
    settings = FitSettings(OptimSettings(), num_steps=10)
    check_same(values(settings=settings), values(settings=dataclasses.replace(settings, num_steps=20)), "work/f")
