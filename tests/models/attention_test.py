import jax
import jax.numpy as jnp
import numpy as np
import pytest

from procsup_jax.models import attention
from procsup_jax.models.attention import packed_attention, slot_attention


def reference(q_rkgle: jax.Array, k_rkle: jax.Array, v_rkle: jax.Array, segments_rl: jax.Array) -> jax.Array:
    """Compute attention from its definition, keys repeated for every query head, all scores at once."""
    g, length, e = q_rkgle.shape[2:]
    k, v = (jnp.repeat(part[:, :, None], g, axis=2) for part in (k_rkle, v_rkle))
    scores = jnp.einsum("rkgle,rkgme->rkglm", q_rkgle, k) / np.sqrt(e)
    mask = jnp.tril(jnp.ones((length, length), bool)) & (segments_rl[:, :, None] == segments_rl[:, None])
    probs = jax.nn.softmax(jnp.where(mask[:, None, None], scores, -jnp.inf), axis=-1)
    return jnp.einsum("rkglm,rkgme->rkgle", probs, v)


def draw(length: int, dtype: jnp.dtype = jnp.float32) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    q = rng.standard_normal((2, 2, 3, length, 8)).astype(dtype)
    k, v = rng.standard_normal((2, 2, 2, length, 8)).astype(dtype)
    return q, k, v, np.sort(rng.integers(0, 4, (2, length)), axis=1)


@pytest.mark.parametrize("length", [1, 5, 150])
def test_packed_attention_equals_its_definition_forward_and_backward(length: int) -> None:
    q, k, v, segments = draw(length)
    weights = np.random.default_rng(1).standard_normal(q.shape, np.float32)

    def value_and_grad(f):
        return jax.jit(jax.value_and_grad(lambda q, k, v: (f(q, k, v, segments) * weights).sum(), (0, 1, 2)))(q, k, v)

    got, want = value_and_grad(packed_attention), value_and_grad(reference)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-4, rtol=1e-4), got, want)


def test_queries_may_be_the_last_of_more_keys() -> None:
    q, k, v, segments = draw(150)
    weights = np.random.default_rng(1).standard_normal(q[:, :, :, 50:].shape, np.float32)

    def grads(f):
        return jax.jit(jax.value_and_grad(lambda q, k, v: (f(q, k, v) * weights).sum(), (0, 1, 2)))(q, k, v)

    got = grads(lambda q, k, v: packed_attention(q[:, :, :, 50:], k, v, segments))
    want = grads(lambda q, k, v: packed_attention(q, k, v, segments)[:, :, :, 50:])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-4, rtol=1e-4), got, want)


@pytest.mark.parametrize("length", [1, 63, 64, 65, 128, 511, 512, 513, 4000])
def test_query_blocks_cover_every_position_once(length: int) -> None:
    blocks = attention._query_blocks(length)
    assert [p for start, end in blocks for p in range(start, end)] == list(range(length))
    assert len(blocks) <= attention.MAX_QUERY_BLOCKS


def test_bfloat16_keeps_scores_and_sums_in_float32() -> None:
    q, k, v, segments = draw(100, jnp.bfloat16)
    got = jax.jit(packed_attention)(q, k, v, segments)
    assert got.dtype == jnp.bfloat16
    exact = jax.jit(reference)(*(part.astype(jnp.float32) for part in (q, k, v)), segments)
    np.testing.assert_allclose(got.astype(jnp.float32), exact, atol=0.02)


@pytest.mark.parametrize(("t", "block_len"), [(1, 3), (3, 4), (3, 16)])
def test_slot_attention_equals_packed_attention_over_prefix_and_suffix(t: int, block_len: int) -> None:
    n, s, k, g, e, prefix_capacity, suffix_capacity = 2, 3, 2, 2, 8, 7, 9
    rng = np.random.default_rng(0)
    prefix = tuple(rng.standard_normal((n, k, prefix_capacity, e), np.float32) for _ in range(2))
    suffix = tuple(rng.standard_normal((n * s, k, suffix_capacity, e), np.float32) for _ in range(2))
    q_nskgte = rng.standard_normal((n, s, k, g, t, e), np.float32)
    prefix_len, suffix_len = np.array([7, 4]), np.array([[0, 2, 5], [6, 1, 3]])
    cut = lambda part: tuple(part[:, :, i : i + block_len] for i in range(0, part.shape[2], block_len))  # noqa: E731
    blocks = [tuple(cut(part) for part in cache) for cache in (prefix, suffix)]
    blocks = [(tuple(block.swapaxes(2, 3) for block in keys), values) for keys, values in blocks]
    got = np.asarray(jax.jit(slot_attention)(q_nskgte, blocks[0], prefix_len, blocks[1], suffix_len))
    # Lay each slot's own keys out at the end of a row; what is left before them is padding.
    rows, total = [], prefix_capacity + suffix_capacity
    for lane, slot in np.ndindex(n, s):
        end = suffix_len[lane, slot] + t
        row = np.zeros((2, k, total, e), np.float32)
        for part, (whole, own) in enumerate(zip(prefix, suffix, strict=True)):
            shared = whole.reshape(n, k, prefix_capacity, e)[lane, :, : prefix_len[lane]]
            seen = np.concatenate([shared, own.reshape(n, s, k, suffix_capacity, e)[lane, slot, :, :end]], axis=1)
            row[part, :, total - seen.shape[1] :] = seen
        rows.append((row, np.arange(total) >= total - prefix_len[lane] - end))
    keys, values = np.stack([row for row, _ in rows], axis=1)
    segments = np.stack([real for _, real in rows]).astype(int)
    q = np.zeros((n * s, k, g, total, e), np.float32)
    q[:, :, :, total - t :] = q_nskgte.reshape(n * s, k, g, t, e)
    want = jax.jit(reference)(q, keys, values, segments)
    np.testing.assert_allclose(got.reshape(n * s, k, g, t, e), np.asarray(want)[:, :, :, total - t :], atol=2e-6)
