import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from procsup_jax.data import pack, pipeline
from procsup_jax.models import api
from procsup_jax.training import losses

HEADS = {"lm": None, "rm": api.VerdictHead(30, 31)}


def test_lm_sums_are_the_weighted_cross_entropy_and_accuracy():
    rng = np.random.default_rng(0)
    logits_blv = 5 * rng.normal(size=(2, 7, 11)).astype(np.float32)
    targets_bl, weights_bl = rng.integers(0, 11, (2, 7)), rng.random((2, 7), np.float32)
    sums = jax.jit(losses.lm_sums)(logits_blv, targets_bl, weights_bl)
    nats_bl = jax.jit(optax.softmax_cross_entropy_with_integer_labels)(logits_blv, targets_bl)
    np.testing.assert_allclose(sums.loss, (nats_bl * weights_bl).sum(), rtol=1e-6)
    np.testing.assert_allclose(sums.weight, weights_bl.sum(), rtol=1e-6)
    np.testing.assert_allclose(sums.correct, ((logits_blv.argmax(-1) == targets_bl) * weights_bl).sum(), rtol=1e-6)


def test_lm_sums_survive_large_logits():
    logits_blv = np.array([[[1e4, -1e4, 0.0]]], np.float32)
    nats = jax.jit(jax.value_and_grad(lambda x: losses.lm_sums(x, jnp.array([[1]]), jnp.ones((1, 1))).loss))
    loss, grad_blv = nats(logits_blv)
    assert float(loss) == 2e4
    np.testing.assert_allclose(grad_blv, [[[1, -1, 0]]])


def test_rm_sums_are_the_weighted_binary_cross_entropy_and_accuracy():
    logits_bl = np.array([[-3.0, 0.5, 200.0, -200.0]], np.float32)
    targets_bl, weights_bl = np.array([[0, 0, 1, 1]]), np.array([[1.0, 2.0, 1.0, 0.0]], np.float32)
    sums = jax.jit(losses.rm_sums)(logits_bl, targets_bl, weights_bl)
    nats_bl = jax.jit(optax.sigmoid_binary_cross_entropy)(logits_bl, targets_bl)
    np.testing.assert_allclose(sums.loss, (nats_bl * weights_bl).sum(), rtol=1e-6)
    assert (float(sums.weight), float(sums.correct)) == (4.0, 2.0)


def value_and_grads(config, params, hidden_bld, max_logits):
    rng = np.random.default_rng(1)
    shape = hidden_bld.shape[:2]
    targets_bl, weights_bl = rng.integers(0, config.vocab_size, shape), rng.random(shape, np.float32)

    def loss(params, hidden_bld):
        sums = losses.lm_sums_of(config, params, hidden_bld, targets_bl, weights_bl, max_logits=max_logits)
        return sums.loss, sums

    program = jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True))
    return program.lower(params, hidden_bld), program


@pytest.mark.parametrize("tied", [True, False])
def test_logits_that_are_not_made_whole_change_neither_loss_nor_gradient(config, params, tied):
    rng = np.random.default_rng(0)
    config = dataclasses.replace(config, vocab_size=11, tied_embeddings=tied)
    params = {name: rng.normal(size=(11, config.d_model)).astype(np.float32) for name in ("embedding", "unembedding")}
    hidden_bld = rng.normal(size=(2, 6, config.d_model)).astype(np.float32)
    (whole, plain), (pieces, chunked) = (value_and_grads(config, params, hidden_bld, n) for n in (66, 65))
    assert "f32[12,11]" in whole.compile().as_text().replace("f32[2,6,11]", "f32[12,11]")
    assert "while" not in whole.as_text() and "while" in pieces.as_text()
    got, want = chunked(params, hidden_bld), plain(params, hidden_bld)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), got, want)
    assert (np.abs(got[1][0]["unembedding"]).max() == 0) == tied


def test_the_testbed_makes_its_logits_whole_as_its_runs_always_did():
    assert api.MAX_LOGITS >= 768 * 2048


def random_rm_examples(rng, num):
    return [
        pack.rm_example(rng.integers(0, 29, 3), rng.integers(0, 29, ends[-1] + 1), ends, rng.random(3) < 0.5, 1 + i)
        for i, ends in enumerate(np.cumsum(rng.integers(1, 4, (num, 3)), 1) - 1)
    ]


def random_lm_examples(rng, num):
    return [pack.lm_example(rng.integers(0, 29, 3), rng.integers(0, 29, n)) for n in rng.integers(1, 9, num)]


@pytest.mark.parametrize(("name", "make"), [("lm", random_lm_examples), ("rm", random_rm_examples)])
def test_packed_documents_have_the_loss_they_have_alone(config, params, name, make):
    examples = make(np.random.default_rng(0), 12)
    loss = jax.jit(losses.make_loss(config, HEADS[name]))
    together = pack.pack(examples, 24)
    assert together.num_rows < 8
    alone = [pack.pack([example], 24) for example in examples]
    whole = loss(params, pipeline.take_rows(together, np.arange(together.num_rows)), None)
    parts = [loss(params, pipeline.take_rows(one, np.arange(1)), None) for one in alone]
    for total, each in zip(whole, zip(*parts, strict=True), strict=True):
        np.testing.assert_allclose(total, sum(map(float, each)), rtol=1e-5)


@pytest.mark.parametrize(("name", "make"), [("lm", random_lm_examples), ("rm", random_rm_examples)])
def test_targets_without_weight_do_not_matter(config, params, name, make):
    packed = pack.pack(make(np.random.default_rng(1), 6), 24)
    batch = dict(pipeline.take_rows(packed, np.arange(packed.num_rows)))
    loss = jax.jit(losses.make_loss(config, HEADS[name]))
    before = loss(params, batch, None)
    batch["targets"] = np.where(batch["weights"] > 0, batch["targets"], 1 - batch["targets"] % 2)
    assert all(float(a) == float(b) for a, b in zip(before, loss(params, batch, None), strict=True))


def test_soft_targets_pull_to_their_probability_and_hard_ones_as_whole_numbers_do():
    logits_bl, weights_bl = jnp.array([[-1.0, 0.5, 2.0]]), jnp.array([[1.0, 2.0, 1.0]])
    hard_bl = jnp.array([[0, 1, 1]])
    sums = [jax.jit(losses.rm_sums)(logits_bl, hard_bl.astype(dtype), weights_bl) for dtype in (jnp.int32, jnp.float32)]
    assert [part.tolist() for part in sums[0]] == [part.tolist() for part in sums[1]]
    loss = lambda logit, target: losses.rm_sums(logit[None, None], target[None, None], jnp.ones((1, 1))).loss  # noqa: E731
    target = jnp.float32(0.37)
    grad = jax.grad(loss)(jnp.log(target / (1 - target)), target)
    assert abs(float(grad)) < 1e-6
    sums = losses.rm_sums(logits_bl, jnp.array([[0.49, 0.5, 0.3]]), weights_bl)
    assert float(sums.correct) == 3.0
