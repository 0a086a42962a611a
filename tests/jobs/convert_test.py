import json

import jax
import numpy as np
import pytest

from procsup_jax import main
from procsup_jax.io import foreign
from procsup_jax.io.params import load_params, save_params
from procsup_jax.models import api

CONFIG = api.ModelConfig(
    vocab_size=40, num_layers=2, d_model=16, num_heads=4, num_kv_heads=2, head_dim=4, d_ff=24, max_len=64
)
TOKENIZER = {"tokenizer.json": b'{"version": "1.0"}', "generation_config.json": b'{"eos_token_id": [2, 3]}'}


@pytest.fixture
def saved(tmp_path):
    params = api.init_params(CONFIG, jax.random.key(0))
    save_params(tmp_path / "ours", params, CONFIG, {"seed": 1}, others=TOKENIZER)
    return tmp_path / "ours"


def convert(*flags):
    return main.main(["convert", *flags])


def test_out_and_in_again_is_the_same_model(saved, tmp_path, capsys):
    assert convert(f"--input={saved}", f"--output={tmp_path / 'hf'}", "--to=hf") == 0
    assert "config.json, generation_config.json, model.safetensors, tokenizer.json" in capsys.readouterr().out
    assert json.loads((tmp_path / "hf/config.json").read_text())["eos_token_id"] == [2, 3]
    assert convert(f"--input={tmp_path / 'hf'}", "--from=hf", f"--output={tmp_path / 'back'}", "--to=procsup") == 0
    first, second = load_params(saved), load_params(tmp_path / "back")
    assert (first.config, first.digest) == (second.config, second.digest)
    assert second.metadata["source"]["kind"] == "hf"
    assert foreign.read_foreign(tmp_path / "back").tokenizer_files == TOKENIZER


def test_numbers_can_be_stored_in_another_type(saved, tmp_path):
    assert convert(f"--input={saved}", f"--output={tmp_path / 'hf'}", "--to=hf", "--dtype=bfloat16") == 0
    assert convert(f"--input={tmp_path / 'hf'}", f"--output={tmp_path / 'back'}", "--to=procsup") == 0
    assert json.loads((tmp_path / "back/model.json").read_text())["dtype"] == "bfloat16"
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2**-8),
        load_params(saved).params, load_params(tmp_path / "back").params,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--to=hf"], "convert needs --input"),
        (["--input=absent", "--to=hf"], "absent holds no model"),
        (["--input={saved}", "--to=gguf"], "--to"),
        (["--input={saved}", "--to=hf", "--from=keras"], "gguf|hf|procsup"),
        (["--input={saved}", "--to=hf", "--from=gguf"], "cannot read"),
        (["--input={saved}", "--to=hf", "--output={saved}"], "is --input too; choose another folder"),
        (["--input={saved}", "--to=procsup", "--dtype=int8"], "--dtype"),
        (["--input={saved}", "--to=hf", "--output={saved}/.."], "holds other files than a model's"),
    ],
)
def test_mistakes_are_one_line(saved, tmp_path, capsys, flags, message):
    given = [flag.format(saved=saved) for flag in flags]
    if not any(flag.startswith("--output") for flag in given):
        given.append(f"--output={tmp_path / 'out'}")
    assert convert(*given) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()
