import os

import pytest

from procsup_jax.jobs import run


@pytest.mark.parametrize(
    ("given", "level", "wanted"),
    [
        ("", 3, ""),
        ("", 0, "--xla_backend_optimization_level=0"),
        ("--xla_dump_to=x", 1, "--xla_dump_to=x --xla_backend_optimization_level=1"),
        ("--xla_backend_optimization_level=2", 0, "--xla_backend_optimization_level=2"),
    ],
)
def test_a_level_in_the_environment_stands(monkeypatch, given, level, wanted):
    monkeypatch.setenv("XLA_FLAGS", given)
    run._set_optimization_level(level)
    assert os.environ["XLA_FLAGS"] == wanted
