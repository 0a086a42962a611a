import dataclasses
import subprocess
import sys

import jax
import numpy as np
import pytest

from procsup_jax.errors import UserError
from procsup_jax.models import api, paths
from procsup_jax.models.pretrained import llama, table

STYLES = list(llama.TABLE.styles)


class Tensors(dict):
    """Be tensors in memory as a source; `reads` counts what was asked for."""

    reads = 0

    @property
    def shapes(self):
        return {name: array.shape for name, array in self.items()}

    def read(self, name):
        self.reads += 1
        return self[name]


def written(style, config, params):
    return Tensors(table.write_params(llama.TABLE, style, config, params))


def test_the_shapes_are_the_models(config):
    abstract = paths.flatten(api.abstract_params(config))
    assert llama.TABLE.shapes(config) == {path: array.shape for path, array in abstract.items()}


@pytest.mark.parametrize("style", STYLES)
def test_parameters_come_back_bit_for_bit(style, config, params):
    tensors = written(style, config, params)
    assert tensors.shapes == table.foreign_shapes(llama.TABLE, style, config)
    found = table.read_params(llama.TABLE, style, config, tensors, np.float32)
    assert jax.tree.structure(found) == jax.tree.structure(params)
    jax.tree.map(np.testing.assert_array_equal, found, params)
    assert tensors.reads == len(tensors)


@pytest.mark.parametrize("style", STYLES)
def test_every_foreign_tensor_is_written_once(style, config, params):
    names = [name for name, _ in table.write_params(llama.TABLE, style, config, params)]
    assert len(names) == len(set(names)) == 2 + (not config.tied_embeddings) + 9 * config.num_layers


def test_heads_lie_where_hugging_faces_do(config, params):
    tensors = written("hf", config, params)
    qkv, g, e = params["layers"]["attention"]["qkv"][1], config.queries_per_kv, config.head_dim
    q = tensors["model.layers.1.self_attn.q_proj.weight"]
    for head in range(config.num_heads):
        np.testing.assert_array_equal(q[head * e : (head + 1) * e].T, qkv[:, head // g, head % g])
    v = tensors["model.layers.1.self_attn.v_proj.weight"]
    np.testing.assert_array_equal(v[e : 2 * e].T, qkv[:, 1, g + 1])


def test_gguf_turns_neighbours_where_hugging_face_turns_halves(config, params):
    hf, gguf = written("hf", config, params), written("gguf", config, params)
    half = config.head_dim // 2
    for name, other in (("q", "attn_q"), ("k", "attn_k")):
        rows = hf[f"model.layers.0.self_attn.{name}_proj.weight"]
        found = gguf[f"blk.0.{other}.weight"]
        np.testing.assert_array_equal(found[0 : 2 * half : 2], rows[:half])
        np.testing.assert_array_equal(found[1 : 2 * half : 2], rows[half : 2 * half])
    np.testing.assert_array_equal(gguf["blk.0.attn_v.weight"], hf["model.layers.0.self_attn.v_proj.weight"])


def test_what_is_missing_or_too_much_or_misshaped_is_named(config, params):
    def refused(message, **changes):
        tensors = Tensors(written("hf", config, params) | changes)
        for name in [name for name, array in tensors.items() if array is None]:
            del tensors[name]
        with pytest.raises(UserError, match=message) as caught:
            table.read_params(llama.TABLE, "hf", config, tensors, np.float32)
        assert "\n" not in str(caught.value) and tensors.reads <= 2

    norm, bias = "model.norm.weight", "model.layers.0.self_attn.q_proj.bias"
    refused(rf"tensor {norm}: found none, expected shape \(16,\)", **{norm: None})
    refused(rf"tensor {norm}: found shape \(8,\), expected shape \(16,\)", **{norm: np.zeros(8)})
    refused(rf"tensor {bias}: found shape \(24,\), expected none", **{bias: np.zeros(24)})


def test_old_buffers_and_a_tied_copy_hold_nothing_new(config, params):
    tensors = written("hf", config, params)
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = np.zeros(3)
    tensors.setdefault("lm_head.weight", tensors["model.embed_tokens.weight"])
    table.read_params(llama.TABLE, "hf", config, tensors, np.float32)
    if config.tied_embeddings:
        tensors["lm_head.weight"] = tensors["lm_head.weight"] + 1
        with pytest.raises(UserError, match="tensor lm_head.weight: found shape"):
            table.read_params(llama.TABLE, "hf", config, tensors, np.float32)


def test_parts_that_a_llama_has_not_are_refused_by_name(config, params):
    with pytest.raises(UserError, match=r"parameter reading: found shape \(3,\), expected none for a model of"):
        written("hf", config, {**params, "reading": np.zeros(3)})
    with pytest.raises(UserError, match="parameter embedding: found shape"):
        written("hf", dataclasses.replace(config, vocab_size=41), params)


def test_benchmarks_can_use_it_without_jax():
    code = "import sys, procsup_jax.models.pretrained.llama; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
