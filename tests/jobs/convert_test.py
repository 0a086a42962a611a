import json

import jax
import numpy as np
import pytest

from procsup_jax import main
from procsup_jax.io.models import load_model, save_model
from procsup_jax.models import api
from procsup_jax.models.model import Model
from procsup_jax.text.encoding import layout_for
from procsup_jax.text.tokenizer import load_tokenizer

CONFIG = api.ModelConfig(
    vocab_size=484, num_layers=2, d_model=16, num_heads=4, num_kv_heads=2, head_dim=4, d_ff=24, max_len=64
)


@pytest.fixture
def saved(tmp_path, digits_bpe_folder):
    tokenizer, params = load_tokenizer(digits_bpe_folder), api.init_params(CONFIG, jax.random.key(0))
    layout = layout_for(tokenizer, "paragraphs")
    save_model(tmp_path / "ours", Model(CONFIG, params, tokenizer, layout, metadata={"seed": 1}))
    return tmp_path / "ours"


def convert(*flags):
    return main.main(["convert", *flags])


def test_out_and_in_again_is_the_same_model(saved, tmp_path, capsys):
    assert convert(f"--input={saved}", f"--output={tmp_path / 'hf'}", "--to=hf") == 0
    assert "config.json, generation_config.json, model.safetensors, tokenizer.json" in capsys.readouterr().out
    first = load_model(saved)
    assert json.loads((tmp_path / "hf/config.json").read_text())["eos_token_id"] == list(first.tokenizer.eos_ids)
    back = [f"--input={tmp_path / 'hf'}", "--from=hf", f"--output={tmp_path / 'back'}", "--to=procsup"]
    assert convert(*back, "--layout=paragraphs") == 0
    second = load_model(tmp_path / "back")
    assert (first.config, first.digest, first.layout) == (second.config, second.digest, second.layout)
    assert second.metadata["source"]["kind"] == "hf"
    assert first.tokenizer.digest == second.tokenizer.digest and first.tokenizer.eos_ids == second.tokenizer.eos_ids


def test_numbers_can_be_stored_in_another_type(saved, tmp_path):
    assert convert(f"--input={saved}", f"--output={tmp_path / 'hf'}", "--to=hf", "--dtype=bfloat16") == 0
    assert convert(f"--input={tmp_path / 'hf'}", f"--output={tmp_path / 'back'}", "--to=procsup") == 0
    assert json.loads((tmp_path / "back/model.json").read_text())["dtype"] == "bfloat16"
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2**-8),
        load_model(saved).params, load_model(tmp_path / "back").params,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--to=hf"], "convert needs --input"),
        (["--input=absent", "--to=hf"], "--input=absent: no such file or folder"),
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
