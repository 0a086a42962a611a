"""The base model that ships with the package is whole, small, and says where it comes from."""

from procsup_jax.io.models import SHIPPED, load_model, model_folder

DIGEST = "6f98ca8ccf5a277a1c32dbd747c785b5781da7ad25e11bb7fdf49326f0a89ff9"


def test_the_shipped_base_is_the_recorded_one():
    model = load_model(SHIPPED)
    assert model.digest == DIGEST
    assert model.metadata["vocab"] == model.tokenizer.digest


def test_it_says_how_it_was_made():
    metadata = load_model(SHIPPED).metadata
    assert metadata["command"] == "procsup run --config=configs/worlds_base.py"
    assert {"seed", "data", "settings", "tokens", "validation_loss"} <= set(metadata)


def test_it_is_small():
    assert sum(path.stat().st_size for path in model_folder(SHIPPED).iterdir()) < 10_000_000
