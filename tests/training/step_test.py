import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from procsup_jax.data import pack, pipeline
from procsup_jax.errors import UserError
from procsup_jax.models import api
from procsup_jax.parallel import mesh as meshes
from procsup_jax.training import losses, optim, state, step


class Trainer:
    """Compile a step once, then take steps on batches of 8 rows."""

    def __init__(self, config, params, packed, *, mesh=None, peak_lr=1e-2, algorithm="adamw", head=None):
        optimiser = optim.make_optimiser(optim.OptimSettings(algorithm), config, head)
        abstract = state.abstract_state(config, optimiser, mesh, head)
        loss = losses.make_loss(config, head)
        init = state.make_init(optimiser, abstract)
        self.start = lambda: init(params)
        self.step = step.make_train_step(loss, optimiser, abstract, mesh)
        self.packed, self.mesh, self.peak_lr = packed, mesh, peak_lr

    def __call__(self, *, num_steps=2, grad_accum=1, key=None):
        """Return the parameters and the last step's report."""
        now, batches = self.start(), pipeline.Batches(self.packed, 8, 0)
        for _ in range(num_steps):
            now, info = self.step(now, step.place(next(batches), grad_accum, self.mesh), self.peak_lr, key)
        assert int(now.step) == num_steps
        return now.params, info


def assert_close(tree, other, atol):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=atol), tree, other)


@pytest.fixture(scope="module")
def packed(make_documents):
    return make_documents(30, 0)


@pytest.fixture(scope="module")
def trainer(config, params, packed):
    return Trainer(config, params, packed)


@pytest.fixture(scope="module")
def plain(trainer):
    return trainer()


def test_accumulated_microbatches_equal_the_large_batch(trainer, packed, plain):
    weights_b = next(pipeline.Batches(packed, 8, 0))["weights"].sum(1)
    assert len(set(weights_b.tolist())) > 1, "rows of unequal weight are what a mean of means gets wrong"
    accumulated, info = trainer(grad_accum=4)
    assert_close(accumulated, plain[0], 1e-5)
    np.testing.assert_allclose(info.sums, plain[1].sums, rtol=1e-5)
    np.testing.assert_allclose(info.grad_norm, plain[1].grad_norm, rtol=1e-5)


def test_accumulated_microbatches_need_less_memory(trainer, packed):
    def temporaries(grad_accum):
        batch = step.place(next(pipeline.Batches(packed, 8, 0)), grad_accum, None)
        whole = jax.jit(lambda state, batch: trainer.step(state, batch, 1e-2, None))
        return whole.lower(trainer.start(), batch).compile().memory_analysis().temp_size_in_bytes

    # A sum of gradients comes in, seven of eight rows go.
    params = sum(leaf.nbytes for leaf in jax.tree.leaves(trainer.start().params))
    assert temporaries(8) < temporaries(1) / 2 + 2 * params


@pytest.mark.parametrize(("shape", "grad_accum"), [((4, 2, 1), 1), ((2, 2, 2), 1), ((2, 2, 2), 2)])
def test_sharded_steps_equal_unsharded_ones(config, params, packed, plain, shape, grad_accum):
    if jax.device_count() < 8:
        pytest.skip("needs eight devices: XLA_FLAGS=--xla_force_host_platform_device_count=8")
    mesh = meshes.make_mesh(meshes.MeshSettings(*shape))
    sharded, info = Trainer(config, params, packed, mesh=mesh)(grad_accum=grad_accum)
    assert_close(sharded, plain[0], 1e-5)
    np.testing.assert_allclose(info.sums, plain[1].sums, rtol=1e-5)
    np.testing.assert_allclose(info.grad_norm, plain[1].grad_norm, rtol=1e-5)
    embedding = sharded["embedding"]
    assert embedding.addressable_shards[0].data.size == embedding.size // (shape[1] * shape[2])


@pytest.mark.parametrize("algorithm", ["adamw", "muon"])
@pytest.mark.parametrize("head", [api.ProductHead(), api.ClassifierHead(2, 2)], ids=["product", "classifier"])
def test_heads_learn_the_same_when_sharded(config, params, head, algorithm):
    if jax.device_count() < 8:
        pytest.skip("needs eight devices: XLA_FLAGS=--xla_force_host_platform_device_count=8")
    rng = np.random.default_rng(0)
    examples = [
        pack.rm_example(rng.integers(0, 29, 3), rng.integers(0, 29, 6), [2, 5], [True, i % 2]) for i in range(24)
    ]
    packed = pack.pack(examples, 20)
    params = api.with_head(config, params, head)
    rm = {"head": head, "algorithm": algorithm}
    plain, want = Trainer(config, params, packed, **rm)()
    mesh = meshes.make_mesh(meshes.MeshSettings(2, 2, 2))
    sharded, info = Trainer(config, params, packed, mesh=mesh, **rm)()
    assert_close(sharded, plain, 1e-4)
    np.testing.assert_allclose(info.sums, want.sums, rtol=1e-4)
    moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), plain["head"], params["head"])
    assert min(jax.tree.leaves(moved)) > 1e-3


def test_orthogonalised_updates_are_the_same_when_sharded(config, params, packed):
    if jax.device_count() < 8:
        pytest.skip("needs eight devices: XLA_FLAGS=--xla_force_host_platform_device_count=8")
    plain, _ = Trainer(config, params, packed, algorithm="muon")()
    mesh = meshes.make_mesh(meshes.MeshSettings(2, 2, 2))
    sharded, _ = Trainer(config, params, packed, mesh=mesh, algorithm="muon")()
    assert_close(sharded, plain, 1e-4)


@pytest.mark.parametrize(("algorithm", "num_moments"), [("adamw", 2), ("muon", 1)])
def test_moments_lie_like_their_parameters(config, algorithm, num_moments):
    if jax.device_count() < 8:
        pytest.skip("needs eight devices: XLA_FLAGS=--xla_force_host_platform_device_count=8")
    mesh = meshes.make_mesh(meshes.MeshSettings(2, 2, 2))
    optimiser = optim.make_optimiser(optim.OptimSettings(algorithm), config)
    abstract = state.abstract_state(config, optimiser, mesh)
    for name in ("gate", "down"):
        param = abstract.params["layers"]["mlp"][name]
        assert not param.sharding.is_fully_replicated
        flat = jax.tree_util.tree_leaves_with_path(abstract.opt_state)
        moments = [x for path, x in flat if jax.tree_util.keystr(path).endswith(f"['{name}']") and x.ndim]
        assert [x.sharding for x in moments] == [param.sharding] * num_moments


@pytest.fixture(scope="module")
def dropping(config, params, packed):
    return Trainer(dataclasses.replace(config, dropout=0.5), params, packed, peak_lr=1e-6)


def test_dropout_is_a_function_of_the_key_and_the_step(dropping):
    first, first_info = dropping(key=jax.random.key(0))
    again, again_info = dropping(key=jax.random.key(0))
    _, other_info = dropping(key=jax.random.key(1))
    jax.tree.map(np.testing.assert_array_equal, (first, first_info), (again, again_info))
    assert float(first_info.sums.loss) != float(other_info.sums.loss)


def test_each_step_draws_its_own_dropout(dropping):
    rows = step.place(pipeline.take_rows(dropping.packed, np.zeros(8, int)), 1, None)
    now, first = dropping.step(dropping.start(), rows, dropping.peak_lr, jax.random.key(0))
    _, second = dropping.step(now, rows, dropping.peak_lr, jax.random.key(0))
    assert abs(float(first.sums.loss) - float(second.sums.loss)) > 1e-2, "a learning rate of 1e-6 moves less"


def test_each_microbatch_draws_its_own_dropout(dropping):
    rows = step.place(pipeline.take_rows(dropping.packed, np.zeros(8, int)), 2, None)
    losses_a = []
    for microbatch in range(2):
        only = np.arange(2)[:, None, None] == microbatch
        batch = {**rows, "weights": rows["weights"] * only}
        losses_a.append(float(dropping.step(dropping.start(), batch, dropping.peak_lr, jax.random.key(0))[1].sums.loss))
    assert abs(losses_a[0] - losses_a[1]) > 1e-2


def test_the_callers_parameters_stay_alive(params, plain):
    assert all(not array.is_deleted() for array in jax.tree.leaves(params))


def test_evaluation_is_the_mean_over_all_rows(config, params, packed):
    evaluate = step.make_eval(losses.make_loss(config))
    by_three, at_once = evaluate(params, packed, 3), evaluate(params, packed, packed.num_rows)
    loss = jax.jit(losses.make_loss(config))
    sums = loss(params, pipeline.take_rows(packed, np.arange(packed.num_rows)), None)
    np.testing.assert_allclose(by_three["loss"], sums.loss / sums.weight, rtol=1e-5)
    assert by_three == pytest.approx(at_once, rel=1e-5)


def test_parameters_in_sixteen_bits_keep_their_type(config, params, packed):
    config = dataclasses.replace(config, dtype="bfloat16", param_dtype="bfloat16")
    narrow = jax.tree.map(lambda array: np.asarray(array).astype(jnp.bfloat16), params)
    trainer = Trainer(config, narrow, packed)
    before = jax.eval_shape(trainer.start)
    batch = step.place(next(pipeline.Batches(packed, 8, 0)), 2, None)
    after, info = jax.eval_shape(trainer.step, before, batch, 1e-2, None)
    assert jax.tree.map(lambda a: (a.shape, a.dtype), before) == jax.tree.map(lambda a: (a.shape, a.dtype), after)
    assert after.params["embedding"].dtype == jnp.bfloat16
    assert info.grad_norm.dtype == info.sums.loss.dtype == jnp.float32


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(UserError, match=r"batch_size=6: expected a positive multiple of 4 \(grad_accum=4"):
        step.check_batch_size(6, 4, None)


@pytest.mark.parametrize("param_dtype", ["float32", "bfloat16"])
def test_a_bfloat16_step_sums_and_optimises_in_float32(config, params, packed, plain, param_dtype):
    mixed = dataclasses.replace(config, dtype="bfloat16", param_dtype=param_dtype)
    kept = jax.tree.map(lambda a: jnp.asarray(a, param_dtype), params)
    optimiser = optim.make_optimiser(optim.OptimSettings(), mixed)
    moments = state.abstract_state(mixed, optimiser).opt_state
    assert {str(leaf.dtype) for leaf in jax.tree.leaves(moments) if leaf.ndim} == {"float32"}
    trained, info = Trainer(mixed, kept, packed)(grad_accum=2)
    assert {str(leaf.dtype) for leaf in jax.tree.leaves(trained)} == {param_dtype}
    assert {str(part.dtype) for part in info.sums} == {"float32"} and info.grad_norm.dtype == jnp.float32
    np.testing.assert_allclose(info.sums, plain[1].sums, rtol=0.02)
    # It did move, and as far as the float32 step did.
    moved = [jax.tree.map(lambda a, b: np.abs(np.float32(a) - b).mean(), new, params) for new in (trained, plain[0])]
    assert_close(*moved, {"float32": 2e-3, "bfloat16": 5e-3}[param_dtype])
    assert all(each > 1e-3 for each in jax.tree.leaves(moved[0]))
