import dataclasses

import jax
import numpy as np
import pytest

from procsup_jax import files
from procsup_jax.errors import UserError
from procsup_jax.io import foreign, huggingface
from procsup_jax.text.tokenizer import load_tokenizer


def test_the_kind_is_found(tmp_path, llama):
    config, params = llama
    huggingface.write_hf(tmp_path / "hf", config, params, {})
    files.write_text(tmp_path / "ours/model.json", "{}")
    (tmp_path / "m.bin").write_bytes(b"GGUF...")
    assert [foreign.kind_of(tmp_path / name) for name in ("hf", "ours", "m.bin")] == ["hf", "procsup", "gguf"]


def test_a_model_from_elsewhere_gets_a_tokenizer_and_a_layout(tmp_path, llama, digits_bpe_folder):
    config, params = llama
    config = dataclasses.replace(config, vocab_size=484)
    params = {**params, "embedding": np.zeros((484, config.d_model), np.float32)}
    if not config.tied_embeddings:
        params["unembedding"] = params["embedding"]
    tokenizer_files = {file.name: file.read_bytes() for file in digits_bpe_folder.iterdir()}
    huggingface.write_hf(tmp_path / "hf", config, params, tokenizer_files)
    model = foreign.read_any(tmp_path / "hf", layout="chat")
    assert model.config == config and model.layout.name == "chat" and model.layout.chat_template
    assert foreign.read_any(tmp_path / "hf").layout.name == "lines"
    assert model.encode("12") == load_tokenizer(digits_bpe_folder).encode("12")
    jax.tree.map(np.testing.assert_array_equal, model.params, dict(params))
    assert foreign.tokenizer_files(model)["tokenizer.json"] == tokenizer_files["tokenizer.json"]


def test_what_is_no_model_is_one_clear_line(tmp_path):
    (tmp_path / "x.gguf").write_bytes(b"GGU")
    with pytest.raises(UserError, match=r"x.gguf is no GGUF file; pass one"):
        foreign.read_any(tmp_path / "x.gguf")
    with pytest.raises(UserError, match=r"holds no model: .*; pass the file in it, x.gguf"):
        foreign.read_any(tmp_path)
    with pytest.raises(UserError, match=r"absent holds no model"):
        foreign.read_any(tmp_path / "absent")
    with pytest.raises(UserError, match="kind 'keras' of model: expected one of gguf, hf, procsup"):
        foreign.read_any(tmp_path, "keras")
