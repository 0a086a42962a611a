"""The base model that ships with the package is whole, small, and says where it comes from."""

from procsup_jax.io.models import SHIPPED, read_model, shipped

DIGEST = "9ea809d2f16f3211defe564029ffa30771e2d9530b890f5da4b204fa485cf796"


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


def test_it_names_the_commands_of_its_earlier_rounds():
    second = read_model(shipped(SHIPPED), None)[0].metadata["start"]
    assert second["command"] == "procsup run --config=configs/worlds_base.py:second"
    assert second["start"]["command"] == "procsup run --config=configs/worlds_base.py:first"
    assert "start" not in second["start"]
