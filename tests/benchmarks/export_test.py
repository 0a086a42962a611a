"""Every contender's file holds the same numbers."""

import gguf
import jax
import numpy as np
import pytest

from procsup_jax.io import huggingface
from procsup_jax.io.models import load_model


@pytest.fixture(scope="module")
def model(task):
    return load_model(task.model)


def test_the_hugging_face_folder_holds_the_model_s_parameters(task, model):
    assert model.config.queries_per_kv > 1
    found = huggingface.read(task.hf)
    assert found.config.num_kv_heads == model.config.num_kv_heads
    jax.tree.map(np.testing.assert_array_equal, found.params, dict(model.params))


@pytest.mark.parametrize(("dtype", "error"), [("f32", 0.0), ("q8_0", 5e-3)])
def test_the_gguf_file_holds_the_model_s_parameters(task, model, dtype, error):
    reader = gguf.GGUFReader(task.gguf(dtype))
    tensors = {each.name: gguf.dequantize(each.data, each.tensor_type) for each in reader.tensors}
    embedding = np.asarray(model.params["embedding"])
    assert np.abs(tensors["token_embd.weight"] - embedding).max() <= error * np.abs(embedding).max()
    down = np.asarray(model.params["layers"]["mlp"]["down"])[1].T
    np.testing.assert_array_equal(tensors["blk.1.ffn_down.weight"], down)
    kinds = {each.name: each.tensor_type.name for each in reader.tensors}
    # Rows of 48 numbers are no whole number of blocks.
    assert kinds["token_embd.weight"] == dtype.upper() and kinds["blk.1.ffn_down.weight"] == "F32"
    assert kinds["output_norm.weight"] == "F32"
