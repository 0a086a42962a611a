"""Every head says the same of packed rows, of rows alone and from a cache, and of a model spread over devices."""

import dataclasses
import functools

import jax
import numpy as np

from procsup_jax.models import api
from procsup_jax.parallel import rules
from procsup_jax.parallel.mesh import make_mesh
from procsup_jax.parallel.settings import MeshSettings

rm_logits = jax.jit(api.rm_logits, static_argnums=(0, 1))
rm_extend = jax.jit(api.rm_extend, static_argnums=(0, 1))
prefill = jax.jit(api.prefill, static_argnums=0, static_argnames=("capacity", "head"))
commit = jax.jit(api.commit)


def test_logits_are_float32_whatever_is_computed_in(reader, tokens_bl, read_whole):
    config, head, params = reader
    assert read_whole(config, head, params, tokens_bl).dtype == np.float32
    half = dataclasses.replace(config, dtype="bfloat16")
    assert jax.eval_shape(functools.partial(api.rm_logits, half, head), params, *[tokens_bl] * 4).dtype == np.float32


def test_packed_documents_are_read_as_if_alone(reader, tokens_bl, read_whole, prompt_lens):
    config, head, params = reader
    lens = [13, 8, 3]
    tokens = np.concatenate([row[:n] for row, n in zip(tokens_bl, lens, strict=True)])[None]
    positions = np.concatenate([np.arange(n) for n in lens])[None]
    segments = np.repeat([1, 2, 3], lens)[None]
    solution = np.concatenate([np.arange(n) >= p for n, p in zip(lens, prompt_lens, strict=True)])[None] * 1
    got = np.asarray(rm_logits(config, head, params, tokens, positions, segments, solution))[0]
    whole = read_whole(config, head, params, tokens_bl)
    want = np.concatenate([row[:n] for row, n in zip(whole, lens, strict=True)])
    np.testing.assert_allclose(got[solution[0] > 0], want[solution[0] > 0], rtol=1e-4, atol=1e-4)


def test_padding_and_the_batch_change_nothing(reader, tokens_bl, read_whole):
    config, head, params = reader
    want = read_whole(config, head, params, tokens_bl)
    np.testing.assert_allclose(read_whole(config, head, params, tokens_bl[:1])[0], want[0], rtol=1e-5, atol=1e-5)
    changed = tokens_bl.copy()
    changed[:, 15:] = (changed[:, 15:] + 1) % config.vocab_size
    np.testing.assert_array_equal(read_whole(config, head, params, changed)[:, :15], want[:, :15])


def test_cached_equals_uncached(reader, tokens_bl, read_whole, prompt_lens):
    """Two slots a lane read on from the prompt, padded; what one has read becomes the prefix, and both read on."""
    config, head, params = reader
    want = read_whole(config, head, params, tokens_bl)
    dparams = api.unstack(config, params, donate=False)
    length = prompt_lens.copy()
    _, prefix = prefill(config, dparams, tokens_bl[:, :10], length, capacity=24, head=head)

    def feed(suffix, suffix_len, counts, t):
        tokens = np.ones((3, 2, t), int)
        for lane, slot in np.ndindex(3, 2):
            at = length[lane] + suffix_len[lane, slot]
            tokens[lane, slot, : counts[lane, slot]] = tokens_bl[lane, at : at + counts[lane, slot]]
        logits, suffix = rm_extend(config, head, dparams, tokens, prefix, length, suffix, suffix_len)
        for lane, slot in np.ndindex(3, 2):
            at = length[lane] + suffix_len[lane, slot]
            n = counts[lane, slot]
            np.testing.assert_allclose(logits[lane, slot, :n], want[lane, at : at + n], rtol=1e-4, atol=1e-4)
        return suffix, suffix_len + counts

    empty, none = api.init_kv(config, 6, 12, head), np.zeros((3, 2), int)
    suffix, suffix_len = feed(empty, none, np.array([[4, 1], [2, 3], [0, 4]]), 4)
    suffix, suffix_len = feed(suffix, suffix_len, np.array([[1, 4], [4, 0], [3, 1]]), 4)
    take = np.array([5, 3, 2])
    prefix = commit(prefix, length, suffix, np.array([0, 1, 1]), take)
    length = length + take
    feed(empty, none, np.array([[3, 4], [4, 1], [2, 2]]), 4)


def test_a_cache_that_was_moved_is_read_on_from(reader, tokens_bl, read_whole):
    """Rows taken, put into a larger cache, and positions gathered: what a head keeps goes with the layers' entries."""
    config, head, params = reader
    want = read_whole(config, head, params, tokens_bl)
    dparams = api.unstack(config, params, donate=False)
    length = np.array([6, 2, 9])
    _, kv = prefill(config, dparams, tokens_bl[:, :10], length, head=head)
    order = np.array([2, 0, 1])
    store = api.put_rows(api.init_kv(config, 4, 20, head), np.array([1, 3, 2]), api.take_rows(kv, order))
    rows = np.array([[0] * 12, *np.tile(np.arange(12), (3, 1))])
    moved = api.take_positions(store, rows[:, None])
    assert jax.tree.map(np.shape, moved) == jax.tree.map(np.shape, api.init_kv(config, 4, 12, head))
    lanes = [2, 1, 0]  # of the rows 1 to 3: row 1 holds lane 2, row 2 lane 1, row 3 lane 0
    lens = np.array([1, *length[lanes]])
    tokens = np.ones((4, 1, 3), int)
    for row, lane in enumerate(lanes, 1):
        tokens[row, 0] = tokens_bl[lane, length[lane] : length[lane] + 3]
    got, _ = rm_extend(
        config, head, dparams, tokens, moved, lens, api.init_kv(config, 4, 3, head), np.zeros((4, 1), int)
    )
    for row, lane in enumerate(lanes, 1):
        np.testing.assert_allclose(
            got[row, 0], want[lane, length[lane] : length[lane] + 3], rtol=1e-4, atol=1e-4, err_msg=str(lane)
        )


def test_the_gradient_reaches_the_head_and_the_trunk(reader, tokens_bl, prompt_lens):
    config, head, params = reader
    positions = np.tile(np.arange(24), (3, 1))
    solution = (positions >= prompt_lens[:, None]).astype(int)

    @jax.jit
    @jax.grad
    def gradient(params):
        logits = api.rm_logits(config, head, params, tokens_bl, positions, np.ones_like(positions), solution)
        return (jax.nn.softplus(logits) * solution).mean()

    grads = dict(gradient(params))
    if head.kind == "classifier":  # reads no vocabulary
        grads.pop("unembedding", None)
    assert all(np.abs(grad).max() > 0 for grad in jax.tree.leaves(grads))


def test_a_plan_counts_what_a_head_keeps(reader):
    config, head, _ = reader
    kept = jax.tree.leaves(api.init_kv(config, 5, 7, head).head)
    assert sum(array.size for array in kept) == 5 * 7 * head.cache_width(config)
    assert head.num_logit_rows(config, 3, 4) in (0, 12)


def test_sharded_equals_unsharded_and_init_goes_straight_into_shards(reader, tokens_bl, read_whole):
    config, head, params = reader
    mesh = make_mesh(MeshSettings(2, 2, 2))
    axes, shapes = api.param_axes(config, head), api.abstract_params(config, head)
    shardings = rules.tree_sharding(mesh, axes, shapes)
    drawn = api.init_params(config, jax.random.key(0), mesh, head)
    jax.tree.map(np.testing.assert_array_equal, drawn, api.init_params(config, jax.random.key(0), head=head))
    assert all(
        a.sharding.is_equivalent_to(sharding, a.ndim)
        for a, sharding in zip(jax.tree.leaves(drawn), jax.tree.leaves(shardings), strict=True)
    )
    want = read_whole(config, head, params, tokens_bl)
    with rules.use(mesh):
        got = read_whole(config, head, jax.device_put(params, shardings), tokens_bl)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
