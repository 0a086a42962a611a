"""The configurations for slices go through every stage at tiny sizes, on random weights and a standard tokenizer."""

import json

import jax
import pytest

from procsup_jax import main, settings
from procsup_jax.io.models import save_model
from procsup_jax.models import api
from procsup_jax.models.model import Model
from procsup_jax.recipes.settings import ExperimentSettings
from procsup_jax.text.encoding import layout_for
from procsup_jax.text.tokenizer import load_tokenizer

NAMES = ("gsm8k_llama3_1b", "gsm8k_llama3_8b", "paper_70b")


@pytest.fixture(scope="module")
def base(bpe_folder, tmp_path_factory):
    """Return the folder of a random model with a standard tokenizer, grouped keys and values, and tables of its own."""
    tokenizer = load_tokenizer(bpe_folder)
    config = api.ModelConfig(
        vocab_size=tokenizer.size, num_layers=2, d_model=32, num_heads=4, num_kv_heads=2, head_dim=8, d_ff=64,
        max_len=2048, tied_embeddings=False, rope_theta=5e5,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("models") / "random"
    save_model(
        folder, Model(config, api.init_params(config, jax.random.key(0)), tokenizer, layout_for(tokenizer, "lines"))
    )
    return folder


def test_every_stage_runs_on_random_weights(base, shared_data, tmp_path):
    args = [f"--config=configs/{NAMES[0]}.py:tiny", f"--config.base.source={base}", f"--workdir={tmp_path}"]
    assert main.main(["run", *args, f"--config.data.path={shared_data / 'gsm8k'}"]) == 0
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert results["config"]["config.base.source"] == str(base)


def test_the_others_do_the_same_at_that_size():
    first, *others = (settings.flatten(settings.load([f"--config=configs/{name}.py:tiny"])) for name in NAMES)
    own = {"config.name", "config.base.source", "config.base.preset", "config.base.vocab_size"}
    for other in others:
        assert {key for key in first if first[key] != other[key]} <= own


@pytest.mark.parametrize("name", NAMES)
def test_the_whole_size_has_the_shape_that_it_is_named_after(name):
    found = settings.from_config(ExperimentSettings, settings.load([f"--config=configs/{name}.py"]))
    shape = api.preset(found.base.preset, found.base.vocab_size)
    wanted = {"gsm8k_llama3_1b": 1.236e9, "gsm8k_llama3_8b": 8.03e9, "paper_70b": 70.6e9}
    assert api.num_params(shape) == pytest.approx(wanted[name], rel=1e-2)
    assert found.base.dtype == "bfloat16" and found.mesh.fsdp * found.mesh.tensor > 1
