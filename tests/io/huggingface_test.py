import dataclasses
import json

import jax
import ml_dtypes
import numpy as np
import pytest

from procsup_jax.errors import UserError
from procsup_jax.io import huggingface
from procsup_jax.io.gguf_tokenizer import tokenizer_files
from procsup_jax.io.tensors import open_tensors, write_tensors
from procsup_jax.models import api


@pytest.fixture
def files(byte_bpe):
    return tokenizer_files(byte_bpe)


@pytest.fixture
def folder(tmp_path, llama, files):
    huggingface.write_hf(tmp_path / "m", *llama, files)
    return tmp_path / "m"


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def equal(found, params):
    assert jax.tree.structure(found) == jax.tree.structure(dict(params))
    jax.tree.map(np.testing.assert_array_equal, found, dict(params))


@pytest.mark.parametrize("tied", [True, False])
def test_a_model_comes_back_bit_for_bit(tmp_path, llama, files, tied):
    config, params = dataclasses.replace(llama[0], tied_embeddings=tied), llama[1]
    if not tied:
        params = {**params, "unembedding": params["embedding"][::-1]}
    huggingface.write_hf(tmp_path / "m", config, params, files)
    found = huggingface.read(tmp_path / "m")
    assert found.config == config
    equal(found.params, params)
    assert found.tokenizer_files == files
    assert found.metadata == {"source": {"kind": "hf", "name": "m"}}


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_sixteen_bits_stay_as_they_are(tmp_path, llama, dtype):
    config, params = llama
    huggingface.write_hf(tmp_path / "m", config, params, {}, dtype=dtype)
    found = huggingface.read(tmp_path / "m")
    assert found.dtype == dtype == json.loads((tmp_path / "m/config.json").read_text())["torch_dtype"]
    kind = {"bfloat16": ml_dtypes.bfloat16, "float16": np.float16}[dtype]
    equal(found.params, jax.tree.map(lambda a: a.astype(kind), dict(params)))


def test_mixed_types_are_read_in_the_wider_one(folder, llama):
    with open_tensors(folder / "model.safetensors") as tensors:
        arrays = {name: tensors.read(name) for name in tensors.shapes}
    arrays = {name: a.astype(ml_dtypes.bfloat16) if a.ndim == 2 else a for name, a in arrays.items()}
    write_tensors(folder / "model.safetensors", arrays)
    assert huggingface.read(folder).dtype == "float32"


def test_large_models_come_in_shards(tmp_path, llama, monkeypatch):
    monkeypatch.setattr(huggingface, "SHARD_BYTES", 30_000)
    huggingface.write_hf(tmp_path / "m", *llama, {})
    shards = sorted(path.name for path in (tmp_path / "m").glob("*.safetensors"))
    assert shards[0] == f"model-00001-of-{len(shards):05}.safetensors" and len(shards) > 2
    index = json.loads((tmp_path / "m/model.safetensors.index.json").read_text())
    assert set(index["weight_map"].values()) == set(shards)
    assert index["metadata"]["total_size"] == 4 * api.num_params(llama[0])
    equal(huggingface.read(tmp_path / "m").params, llama[1])
    (tmp_path / "m" / shards[1]).unlink()
    with pytest.raises(UserError, match=f"cannot read .*{shards[1]}: no such file"):
        huggingface.read(tmp_path / "m")


def test_a_tied_copy_of_the_embedding_is_read_over(folder, llama):
    with open_tensors(folder / "model.safetensors") as tensors:
        arrays = {name: tensors.read(name) for name in tensors.shapes}
    write_tensors(folder / "model.safetensors", arrays | {"lm_head.weight": arrays["model.embed_tokens.weight"]})
    equal(huggingface.read(folder).params, llama[1])


def test_ends_and_chat_template_are_found_in_their_other_places(folder):
    (folder / "generation_config.json").unlink()
    (folder / "chat_template.jinja").write_text("{{ x }}")
    found = huggingface.read(folder).tokenizer_files
    assert json.loads(found["generation_config.json"]) == {"bos_token_id": 1, "eos_token_id": 0}
    settings = json.loads(found["tokenizer_config.json"])
    assert (settings["chat_template"], settings["eos_token"]) == ("{{ x }}", "<|end|>")


def test_equal_models_give_equal_bytes(tmp_path, folder, llama, files):
    huggingface.write_hf(tmp_path / "again", *llama, files)
    for path in folder.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def pickled(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (pickled, "neither model.safetensors nor .*; pytorch_model.bin is pickled, which is never read"),
        (lambda m: (m / "config.json").unlink(), "cannot read .*config.json: no such file"),
        (lambda m: (m / "config.json").write_text("{"), "config.json is no JSON"),
        (lambda m: (m / "config.json").write_text("[]"), "expected a JSON object, found list"),
        (lambda m: edit(m / "config.json", model_type="qwen2"), "m: model_type 'qwen2': only the Llama family"),
        (lambda m: edit(m / "config.json", num_hidden_layers=3), "tensor model.layers.2.*: found none, expected shape"),
        (lambda m: edit(m / "config.json", num_hidden_layers=1), "tensor model.layers.1.*, expected none"),
        (
            lambda m: edit(m / "config.json", vocab_size=9),
            r"embed_tokens.weight: found shape .*, expected shape \(9, 32",
        ),
        (lambda m: (m / "model.safetensors").write_bytes(b"junk" * 99), "model.safetensors is damaged"),
    ],
)
def test_what_can_not_be_read_is_one_clear_line(folder, damage, message):
    damage(folder)
    with pytest.raises(UserError, match=message) as caught:
        huggingface.read(folder)
    assert "\n" not in str(caught.value)


def test_what_is_no_llama_is_not_written(tmp_path, llama):
    config, params = llama
    with pytest.raises(UserError, match="parameter head/kernel: found shape"):
        huggingface.write_hf(tmp_path / "m", config, {**params, "head": {"kernel": np.zeros(3)}}, {})
    large = {**params, "embedding": params["embedding"] * 1e6}
    with pytest.raises(UserError, match="embed_tokens.weight holds numbers that are not finite in float16"):
        huggingface.write_hf(tmp_path / "m", config, large, {}, dtype="float16")
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("scaled", [False, True])
def test_transformers_loads_it_and_agrees(tmp_path, llama, byte_bpe, scaled):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    config, params = llama
    if scaled:
        config = dataclasses.replace(config, rope_scaling=api.RopeScaling(8.0, 1.0, 4.0, 8192), max_len=16384)
    huggingface.write_hf(tmp_path / "m", config, params, tokenizer_files(byte_bpe))
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "m")
    assert type(model).__name__ == "LlamaForCausalLM"
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "m")
    ids_bl = np.array([tokenizer.encode("the 12 jars\n\nof it: 3*(4-1)")])
    positions_bl = np.arange(ids_bl.shape[1])[None] + (9000 if scaled else 0)
    with torch.no_grad():
        theirs = model(torch.tensor(ids_bl), position_ids=torch.tensor(positions_bl)).logits.numpy()
    states_bld = api.hidden(config, params, ids_bl, positions_bl, np.ones_like(ids_bl))
    np.testing.assert_allclose(api.unembed(config, params, states_bld), theirs, atol=2e-4)
