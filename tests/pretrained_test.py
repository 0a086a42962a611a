"""The base model that ships with the package is whole, small, and says where it comes from."""

from procsup_jax.io.models import SHIPPED, read_model, shipped

DIGEST = "6f98ca8ccf5a277a1c32dbd747c785b5781da7ad25e11bb7fdf49326f0a89ff9"


def test_the_shipped_base_is_the_recorded_one():
    saved, vocab = read_model(shipped(SHIPPED), None)
    assert saved.digest == DIGEST
    assert saved.metadata["vocab"] == vocab.digest


def test_it_says_how_it_was_made():
    metadata = read_model(shipped(SHIPPED), None)[0].metadata
    assert metadata["command"] == "procsup run --config=configs/worlds_base.py"
    assert {"seed", "data", "settings", "tokens", "validation_loss"} <= set(metadata)


def test_it_is_small():
    assert sum(path.stat().st_size for path in shipped(SHIPPED).iterdir()) < 10_000_000
