import dataclasses

import pytest

from procsup_jax import fields
from procsup_jax.errors import UserError
from procsup_jax.models import api
from procsup_jax.training.settings import FitSettings, TrainSettings, stated


def test_a_fit_replaces_of_a_model_what_it_states(config):
    assert FitSettings().computing(config) == config
    replaced = FitSettings(dtype="bfloat16", remat="dots", attention="plain", dropout=0.1).computing(config)
    assert replaced == dataclasses.replace(config, dtype="bfloat16", remat="dots", attention="plain", dropout=0.1)
    kept = api.preset("70b", 32)
    assert FitSettings().computing(kept).remat == "full"
    assert FitSettings(remat="none").computing(kept).remat == "none"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("dtype", "float16", 'expected "" or one of float32, bfloat16'),
        ("remat", "dot", 'expected "" or one of none, full, dots, dots_no_batch'),
        ("attention", "cuDNN", 'expected "" or one of auto, plain, splash, flash, cudnn'),
    ],
)
def test_other_names_are_one_clear_line(name, value, expected):
    with pytest.raises(UserError, match=f"{name}='{value}': {expected}"):
        FitSettings(**{name: value})


def test_what_replaces_nothing_is_not_recorded():
    recorded = dataclasses.asdict(TrainSettings(FitSettings(remat="full")), dict_factory=stated)
    assert recorded["fit"]["remat"] == "full"
    assert not {"dtype", "attention"} & recorded["fit"].keys()
    assert fields.build(TrainSettings, recorded, "config") == TrainSettings(FitSettings(remat="full"))
