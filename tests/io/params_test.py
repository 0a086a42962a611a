import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from procsup_jax.errors import UserError
from procsup_jax.io import params as io_params
from procsup_jax.io.tensors import TensorFile, open_tensors
from procsup_jax.models import api
from procsup_jax.parallel import mesh as meshes

CONFIG = api.ModelConfig(
    vocab_size=32, num_layers=1, d_model=16, num_heads=2, num_kv_heads=2, head_dim=8, d_ff=32, max_len=32
)


@pytest.fixture(scope="module")
def params():
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda s: rng.normal(size=s.shape).astype(np.float32), api.abstract_params(CONFIG))


@pytest.fixture
def saved(tmp_path, params):
    io_params.save_params(tmp_path / "m", params, CONFIG, {"name": "tiny"})
    return tmp_path / "m"


def test_a_model_comes_back_whole(saved, params):
    model = io_params.load_params(saved)
    jax.tree.map(np.testing.assert_array_equal, model.params, params)
    assert (model.config, model.metadata) == (CONFIG, {"name": "tiny"})
    assert sorted(path.name for path in saved.parent.iterdir()) == ["m"]
    assert sorted(path.name for path in saved.iterdir()) == ["model.json", "params.safetensors"]


@pytest.mark.parametrize(("dtype", "error"), [("float16", 2**-11), ("bfloat16", 2**-8)])
def test_sixteen_bits_round_and_halve_the_size(tmp_path, saved, params, dtype, error):
    digest = io_params.save_params(tmp_path / "half", params, CONFIG, dtype=dtype)
    model = io_params.load_params(tmp_path / "half")
    assert model.digest == digest != io_params.load_params(saved).digest
    assert all(array.dtype == jnp.float32 for array in jax.tree.leaves(model.params))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=error, atol=1e-7), model.params, params)
    with open_tensors(tmp_path / "half" / "params.safetensors") as tensors:
        assert set(tensors.dtypes.values()) == {{"float16": "F16", "bfloat16": "BF16"}[dtype]}


def test_equal_models_give_equal_bytes_and_the_digest_tells_others_apart(tmp_path, saved, params):
    again = io_params.save_params(tmp_path / "again", params, CONFIG, {"name": "tiny"})
    for name in ("params.safetensors", "model.json"):
        assert (tmp_path / "again" / name).read_bytes() == (saved / name).read_bytes()
    changed = {**params, "embedding": params["embedding"] + 1e-6}
    assert io_params.save_params(tmp_path / "again", changed, CONFIG) != again
    jax.tree.map(np.testing.assert_array_equal, io_params.load_params(tmp_path / "again").params, changed)


def test_arrays_go_straight_into_their_shards(saved, params):
    if jax.device_count() < 8:
        pytest.skip("needs eight devices: XLA_FLAGS=--xla_force_host_platform_device_count=8")
    mesh = meshes.make_mesh(meshes.MeshSettings(data=1, fsdp=2, tensor=4))
    sharded = io_params.load_params(saved, mesh=mesh).params
    assert len(sharded["embedding"].addressable_shards) == 8
    assert sharded["embedding"].addressable_shards[0].data.size == params["embedding"].size // 8
    assert io_params.save_params(saved, sharded, CONFIG) == io_params.save_params(saved, params, CONFIG)


def test_another_compute_type_can_be_asked_for(saved):
    config = dataclasses.replace(CONFIG, param_dtype="bfloat16")
    model = io_params.load_params(saved, config=config)
    assert model.config == config
    assert all(array.dtype == jnp.bfloat16 for array in jax.tree.leaves(model.params))


def test_scaled_positions_and_further_files_come_back(tmp_path, params):
    scaled = dataclasses.replace(CONFIG, rope_scaling=api.RopeScaling(8.0, 1.0, 4.0, 8192))
    io_params.save_params(tmp_path / "m", params, scaled, others={"tokenizer.json": b"{}"})
    assert io_params.load_params(tmp_path / "m").config == scaled
    assert (tmp_path / "m/tokenizer.json").read_bytes() == b"{}"


def test_a_config_with_other_shapes_is_refused(saved):
    with pytest.raises(UserError, match=r"parameter embedding has shape \(32, 16\), the model config wants \(40, 16\)"):
        io_params.load_params(saved, config=dataclasses.replace(CONFIG, vocab_size=40))
    with pytest.raises(UserError, match=r"unembedding has shape absent, the model config wants"):
        io_params.load_params(saved, config=dataclasses.replace(CONFIG, tied_embeddings=False))


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
        io_params.load_params(saved)
    assert "\n" not in str(caught.value)


def test_shapes_are_checked_before_anything_is_read(saved, monkeypatch):
    monkeypatch.setattr(TensorFile, "read", lambda self, name: pytest.fail(f"read {name}"))
    with pytest.raises(UserError, match="embedding has shape"):
        io_params.load_params(saved, config=dataclasses.replace(CONFIG, vocab_size=40))


def test_one_changed_bit_is_damage(saved):
    path = saved / "params.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="does not have the digest"):
        io_params.load_params(saved)


def test_numbers_that_do_not_fit_are_refused(tmp_path, params):
    large = {**params, "embedding": params["embedding"] * 1e6}
    with pytest.raises(UserError, match="embedding holds numbers that are not finite in float16"):
        io_params.save_params(tmp_path / "m", large, CONFIG, dtype="float16")
    with pytest.raises(UserError, match="dtype='int8': expected one of float32, float16, bfloat16"):
        io_params.save_params(tmp_path / "m", params, CONFIG, dtype="int8")
    assert not (tmp_path / "m").exists()
