import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from procsup_jax.errors import UserError
from procsup_jax.io.models import load_encoding, load_model, read_digest, save_model
from procsup_jax.io.tensors import TensorFile, open_tensors
from procsup_jax.models import api
from procsup_jax.models.model import Model
from procsup_jax.parallel import mesh as meshes
from procsup_jax.text.layout import LINES, PARAGRAPHS
from procsup_jax.text.tokenizer import load_tokenizer

CONFIG = api.ModelConfig(
    vocab_size=480, num_layers=1, d_model=16, num_heads=2, num_kv_heads=2, head_dim=8, d_ff=32, max_len=32
)


@pytest.fixture(scope="module")
def params():
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda s: rng.normal(size=s.shape).astype(np.float32), api.abstract_params(CONFIG))


@pytest.fixture(scope="module")
def model(params, vocab_folder):
    return Model(CONFIG, params, load_tokenizer(vocab_folder), metadata={"name": "tiny"})


@pytest.fixture
def saved(tmp_path, model):
    save_model(tmp_path / "m", model)
    return tmp_path / "m"


def test_a_model_comes_back_whole(saved, params):
    model = load_model(saved)
    jax.tree.map(np.testing.assert_array_equal, model.params, params)
    assert (model.config, model.metadata, model.layout) == (CONFIG, {"name": "tiny"}, LINES)
    assert load_encoding(saved).tokenizer.digest == model.tokenizer.digest and read_digest(saved) == model.digest
    assert sorted(path.name for path in saved.parent.iterdir()) == ["m"]
    assert sorted(path.name for path in saved.iterdir()) == ["model.json", "params.safetensors", "vocab.model"]


def test_scaled_positions_come_back(tmp_path, model):
    scaled = dataclasses.replace(CONFIG, rope_scaling=api.RopeScaling(8.0, 1.0, 4.0, 8192))
    save_model(tmp_path / "m", model.replace(config=scaled))
    assert load_model(tmp_path / "m").config == scaled


def test_a_foreign_tokenizer_and_layout_come_back(tmp_path, params, digits_bpe_folder):
    layout = dataclasses.replace(PARAGRAPHS, verdicts=("+", "-"), step_marker="<extra_0>")
    tokenizer, config = load_tokenizer(digits_bpe_folder), dataclasses.replace(CONFIG, vocab_size=484)
    grown = {**params, "embedding": np.zeros((484, 16), np.float32)}
    save_model(tmp_path / "m", Model(config, grown, tokenizer, layout))
    read = load_model(tmp_path / "m")
    assert read.layout == layout and read.encode("12 + 3") == tokenizer.encode("12 + 3")
    assert read.tokenizer.eos_ids == tokenizer.eos_ids and read.tokenizer.chat_template == tokenizer.chat_template


@pytest.mark.parametrize(("dtype", "error"), [("float16", 2**-11), ("bfloat16", 2**-8)])
def test_sixteen_bits_round_and_halve_the_size(tmp_path, saved, model, params, dtype, error):
    digest = save_model(tmp_path / "half", model, dtype=dtype)
    half = load_model(tmp_path / "half")
    assert half.digest == digest != load_model(saved).digest
    assert all(array.dtype == jnp.float32 for array in jax.tree.leaves(half.params))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=error, atol=1e-7), half.params, params)
    with open_tensors(tmp_path / "half" / "params.safetensors") as tensors:
        assert set(tensors.dtypes.values()) == {{"float16": "F16", "bfloat16": "BF16"}[dtype]}


def test_equal_models_give_equal_bytes_and_the_digest_tells_others_apart(tmp_path, saved, model, params):
    again = save_model(tmp_path / "again", model)
    for name in ("params.safetensors", "model.json"):
        assert (tmp_path / "again" / name).read_bytes() == (saved / name).read_bytes()
    changed = {**params, "embedding": params["embedding"] + 1e-6}
    assert save_model(tmp_path / "again", model.replace(params=changed)) != again
    jax.tree.map(np.testing.assert_array_equal, load_model(tmp_path / "again").params, changed)


def test_arrays_go_straight_into_their_shards(saved, model, params):
    if jax.device_count() < 8:
        pytest.skip("needs eight devices: XLA_FLAGS=--xla_force_host_platform_device_count=8")
    mesh = meshes.make_mesh(meshes.MeshSettings(data=1, fsdp=2, tensor=4))
    sharded = load_model(saved, mesh=mesh).params
    assert len(sharded["embedding"].addressable_shards) == 8
    assert sharded["embedding"].addressable_shards[0].data.size == params["embedding"].size // 8
    assert save_model(saved, model.replace(params=sharded)) == save_model(saved, model)


def test_another_compute_type_can_be_asked_for(saved):
    config = dataclasses.replace(CONFIG, param_dtype="bfloat16")
    model = load_model(saved, config=config)
    assert model.config == config
    assert all(array.dtype == jnp.bfloat16 for array in jax.tree.leaves(model.params))


def test_a_config_with_other_shapes_is_refused(saved):
    with pytest.raises(
        UserError, match=r"parameter embedding has shape \(480, 16\), the model config wants \(490, 16\)"
    ):
        load_model(saved, config=dataclasses.replace(CONFIG, vocab_size=490))
    with pytest.raises(UserError, match=r"unembedding has shape absent, the model config wants"):
        load_model(saved, config=dataclasses.replace(CONFIG, tied_embeddings=False))


@pytest.mark.parametrize(
    "head", [api.VerdictHead(3, 4), api.ProductHead(), api.ClassifierHead(2, 2, hidden=5)], ids=lambda head: head.kind
)
def test_a_reward_model_comes_back_with_its_head(tmp_path, model, head):
    judge = model.with_head(head)
    params = judge.params
    save_model(tmp_path / "rm", judge)
    read = load_model(tmp_path / "rm")
    assert read.head == read.reward_head == head
    jax.tree.map(np.testing.assert_array_equal, read.params, params)
    if jax.device_count() >= 8:
        mesh = meshes.make_mesh(meshes.MeshSettings(data=1, fsdp=2, tensor=4))
        sharded = load_model(tmp_path / "rm", mesh=mesh).params
        jax.tree.map(np.testing.assert_array_equal, sharded, params)


def test_a_head_and_parameters_that_do_not_go_together_are_refused(tmp_path, model, params):
    linear, head = api.with_head(CONFIG, params, api.ClassifierHead()), api.ClassifierHead(2)
    for given, told, message in [
        (params, head, r"parameter head/hidden/bias has shape absent, the head ClassifierHead\(num_layers=2.* wants"),
        (
            linear,
            None,
            r"parameter head/out/bias has shape \(1,\), the head None wants none such: use the config and head",
        ),
        (linear, api.ProductHead(), r"parameter head has shape absent, the head ProductHead\(\) wants \(27,\)"),
    ]:
        save_model(tmp_path / "m", model.replace(params=given, head=told))
        with pytest.raises(UserError, match=message):
            load_model(tmp_path / "m")


def edit(path, change):
    header = json.loads(path.read_text())
    change(header)
    path.write_text(json.dumps(header))


def truncate(path):
    path.write_bytes(path.read_bytes()[:-900])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda m: (m / "model.json").unlink(), "cannot read .*model.json: no such file"),
        (lambda m: (m / "params.safetensors").unlink(), "cannot read .*params.safetensors: no such file"),
        (lambda m: (m / "model.json").write_text("{"), "model.json is damaged"),
        (lambda m: (m / "model.json").write_text("[]"), "model.json is damaged"),
        (lambda m: (m / "params.safetensors").write_bytes(b""), "params.safetensors is damaged"),
        (lambda m: (m / "params.safetensors").write_bytes(b"junk" * 99), "params.safetensors is damaged"),
        (lambda m: truncate(m / "params.safetensors"), "params.safetensors is damaged"),
        (lambda m: edit(m / "model.json", lambda h: h.pop("digest")), "model.json is damaged"),
        (lambda m: edit(m / "model.json", lambda h: h.pop("head")), "model.json is damaged"),
        (lambda m: edit(m / "model.json", lambda h: h.update(layout={"sep": 1})), "model.json: layout is {'sep': 1}"),
        (lambda m: (m / "vocab.model").unlink(), "m: has no tokenizer; looked for vocab.model"),
        (
            lambda m: edit(m / "model.json", lambda h: h.update(head={"kind": "oracle"})),
            "model.json: head kind 'oracle' is unknown: expected one of verdict, product, classifier",
        ),
        (lambda m: edit(m / "model.json", lambda h: h.update(digest="0")), "does not have the digest"),
        (lambda m: edit(m / "model.json", lambda h: h.update(format="procsup_jax model 9")), "use the version that"),
        (
            lambda m: edit(m / "model.json", lambda h: h["config"].update(new=1)),
            "'new'; use the version of procsup_jax",
        ),
    ],
)
def test_a_damaged_folder_is_one_clear_line(saved, damage, message):
    damage(saved)
    with pytest.raises(UserError, match=message) as caught:
        load_model(saved)
    assert "\n" not in str(caught.value)


def test_shapes_are_checked_before_anything_is_read(saved, monkeypatch):
    monkeypatch.setattr(TensorFile, "read", lambda self, name: pytest.fail(f"read {name}"))
    with pytest.raises(UserError, match="embedding has shape"):
        load_model(saved, config=dataclasses.replace(CONFIG, vocab_size=490))


def test_one_changed_bit_is_damage(saved):
    path = saved / "params.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="does not have the digest"):
        load_model(saved)


def test_numbers_that_do_not_fit_are_refused(tmp_path, model, params):
    large = {**params, "embedding": params["embedding"] * 1e6}
    with pytest.raises(UserError, match="embedding holds numbers that are not finite in float16"):
        save_model(tmp_path / "m", model.replace(params=large), dtype="float16")
    with pytest.raises(UserError, match="dtype='int8': expected one of float32, float16, bfloat16"):
        save_model(tmp_path / "m", model, dtype="int8")
    assert not (tmp_path / "m").exists()
