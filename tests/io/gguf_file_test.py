import dataclasses

import gguf
import jax
import numpy as np
import pytest

from procsup_jax.errors import UserError
from procsup_jax.io import gguf_file
from procsup_jax.models import api, paths
from procsup_jax.models.pretrained import llama as family
from procsup_jax.models.pretrained.table import write_params


def write(path, config, params, metadata, kind=gguf.GGMLQuantizationType.F32, **changes):
    """Write a model with the library's own writer, its matrices quantised."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_block_count(config.num_layers)
    writer.add_context_length(config.max_len)
    writer.add_embedding_length(config.d_model)
    writer.add_feed_forward_length(config.d_ff)
    writer.add_head_count(config.num_heads)
    writer.add_head_count_kv(config.num_kv_heads)
    writer.add_layer_norm_rms_eps(config.norm_eps)
    writer.add_rope_freq_base(config.rope_theta)
    for name, value in metadata.items():
        add = {str: writer.add_string, bool: writer.add_bool, int: writer.add_uint32, list: writer.add_array}
        add[type(value)](name, value)
    tensors = dict(write_params(family.TABLE, "gguf", config, params)) | changes
    for name, tensor in tensors.items():
        own = kind if tensor.ndim == 2 else gguf.GGMLQuantizationType.F32
        data = gguf.quantize(tensor, own)
        writer.add_tensor(name, data, raw_shape=data.shape, raw_dtype=own)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize("tied", [True, False])
def test_a_model_comes_back_bit_for_bit(tmp_path, llama, byte_bpe, tied):
    config, params = dataclasses.replace(llama[0], tied_embeddings=tied), llama[1]
    if not tied:
        params = {**params, "unembedding": params["embedding"][::-1]}
    write(tmp_path / "m.gguf", config, params, byte_bpe)
    found = gguf_file.read(tmp_path / "m.gguf")
    assert found.config == config
    assert jax.tree.structure(found.params) == jax.tree.structure(dict(params))
    jax.tree.map(np.testing.assert_array_equal, found.params, dict(params))
    assert set(found.tokenizer_files) == {"tokenizer.json", "tokenizer_config.json", "generation_config.json"}
    source = found.metadata["source"]
    assert (source["kind"], source["name"], source["types"], len(source["sha256"])) == ("gguf", "tiny", ["F32"], 64)


def test_quantised_numbers_are_those_that_the_library_gives(tmp_path, llama):
    config, params = llama
    q8 = gguf.GGMLQuantizationType.Q8_0
    write(tmp_path / "m.gguf", config, params, {}, q8)
    found = gguf_file.read(tmp_path / "m.gguf")
    assert found.metadata["source"]["types"] == ["F32", "Q8_0"] and found.tokenizer_files == {}
    for path, array in paths.flatten(found.params).items():
        np.testing.assert_allclose(array, paths.flatten(params)[path], atol=0.01)
    rounded = gguf.dequantize(gguf.quantize(params["embedding"], q8), q8)
    np.testing.assert_array_equal(found.params["embedding"], rounded)


def test_llama3s_scaling_is_read_from_its_factors(tmp_path, llama):
    config, params = llama
    scaled = dataclasses.replace(config, rope_theta=5e5)
    kept = (8192 * 5e5**-0.5 / (2 * np.pi) - 1) / 3  # the third frequency turns between one and four times
    factors = np.array([1.0, 1.0, 1 / (kept + (1 - kept) / 32), 32.0], np.float32)
    write(tmp_path / "m.gguf", scaled, params, {}, **{"rope_freqs.weight": factors})
    assert gguf_file.read(tmp_path / "m.gguf").config.rope_scaling == api.RopeScaling(32.0, 1.0, 4.0, 8192)


def test_a_tensor_too_much_is_named_with_the_file(tmp_path, llama):
    write(tmp_path / "m.gguf", *llama, {}, **{"blk.0.attn_q.bias": np.zeros(32, np.float32)})
    with pytest.raises(UserError, match=r"m.gguf: tensor blk.0.attn_q.bias: found shape \(32,\), expected none"):
        gguf_file.read(tmp_path / "m.gguf")


def test_a_missing_or_damaged_file_is_one_line(tmp_path, llama):
    with pytest.raises(UserError, match="cannot read .*no such file"):
        gguf_file.read(tmp_path / "m.gguf")
    write(tmp_path / "m.gguf", *llama, {})
    content = (tmp_path / "m.gguf").read_bytes()
    for damaged in (b"GGUF", b"junk" * 99, content[:300], content[:-500]):
        (tmp_path / "m.gguf").write_bytes(damaged)
        with pytest.raises(UserError, match="is no whole GGUF file") as caught:
            gguf_file.read(tmp_path / "m.gguf")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("at", "number", "said"),
    [
        (8, 2**60, "1152921504606846976 entries reach past its end"),
        (16, 2**40, "1099511627776 entries reach past its end"),
        (24, 2**63, "9223372036854775808 bytes reach past its end"),
    ],
)
def test_counts_beyond_the_file_are_refused_before_the_library_believes_them(tmp_path, at, number, said):
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama")
    writer.add_context_length(8)
    writer.add_tensor("a", np.zeros((2, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert gguf_file.GGUFFile(tmp_path / "m.gguf").shapes == {"a": (2, 32)}
    content = bytearray((tmp_path / "m.gguf").read_bytes())
    content[at : at + 8] = number.to_bytes(8, "little")
    (tmp_path / "m.gguf").write_bytes(content)
    with pytest.raises(UserError, match=f"is no whole GGUF file .*{said}"):
        gguf_file.GGUFFile(tmp_path / "m.gguf")
