import jax
import numpy as np
import pytest

from procsup_jax.errors import UserError
from procsup_jax.io import foreign, huggingface
from procsup_jax.io.params import save_params


def test_the_kind_is_found(tmp_path, llama):
    config, params = llama
    huggingface.write_hf(tmp_path / "hf", config, params, {})
    save_params(tmp_path / "ours", params, config)
    (tmp_path / "m.bin").write_bytes(b"GGUF...")
    assert [foreign.kind_of(tmp_path / name) for name in ("hf", "ours", "m.bin")] == ["hf", "procsup", "gguf"]


def test_our_own_folder_is_read_with_its_tokenizer(tmp_path, llama):
    config, params = llama
    save_params(tmp_path / "m", params, config, {"seed": 3}, others={"tokenizer.json": b"{}", "else": b""})
    found = foreign.read_foreign(tmp_path / "m")
    assert (found.config, found.metadata, found.tokenizer_files) == (config, {"seed": 3}, {"tokenizer.json": b"{}"})
    jax.tree.map(np.testing.assert_array_equal, found.params, dict(params))


def test_what_is_no_model_is_one_clear_line(tmp_path):
    (tmp_path / "x.gguf").write_bytes(b"GGU")
    with pytest.raises(UserError, match=r"x.gguf is no GGUF file; pass one"):
        foreign.read_foreign(tmp_path / "x.gguf")
    with pytest.raises(UserError, match=r"holds no model: .*; pass the file in it, x.gguf"):
        foreign.read_foreign(tmp_path)
    with pytest.raises(UserError, match=r"absent holds no model"):
        foreign.read_foreign(tmp_path / "absent")
    with pytest.raises(UserError, match="kind 'keras' of model: expected one of gguf, hf, procsup"):
        foreign.read_foreign(tmp_path, "keras")
