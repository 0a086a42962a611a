import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procsup_jax.models import api

decoder_params = jax.jit(functools.partial(api.unstack, donate=False), static_argnums=0)
extend = jax.jit(api.extend, static_argnums=0)
prefill = jax.jit(api.prefill, static_argnums=0, static_argnames="capacity")
commit = jax.jit(api.commit)

PREFIX_LENS = np.array([6, 2, 9])
NUM_SLOTS = 2


class Decoder:
    """Drive the cached path: lane i reads row i of the tokens, its first PREFIX_LENS[i] of them by prefill."""

    def __init__(
        self,
        config: api.ModelConfig,
        params: api.Params,
        tokens_bl: np.ndarray,
        suffix_capacity: int,
        prefix_capacity: int = 24,
    ) -> None:
        self.config, self.dparams, self.tokens = config, decoder_params(config, params), tokens_bl
        self.prefix_len = PREFIX_LENS.copy()
        head, self.prefix = prefill(config, self.dparams, tokens_bl[:, :10], self.prefix_len, capacity=prefix_capacity)
        self.states = [[row[:n]] * NUM_SLOTS for row, n in zip(np.asarray(head), self.prefix_len, strict=True)]
        self.reset(suffix_capacity)

    def reset(self, suffix_capacity: int) -> None:
        rows = len(self.prefix_len) * NUM_SLOTS
        self.suffix = api.init_kv(self.config, rows, suffix_capacity)
        self.suffix_len = np.zeros((len(self.prefix_len), NUM_SLOTS), int)

    def feed(self, counts: np.ndarray, t: int) -> None:
        """Feed the next counts[lane, slot] <= t tokens of each lane's row to its slots, padded to t."""
        tokens = np.full((*counts.shape, t), 1)
        for lane, slot in np.ndindex(*counts.shape):
            at = self.prefix_len[lane] + self.suffix_len[lane, slot]
            tokens[lane, slot, : counts[lane, slot]] = self.tokens[lane, at : at + counts[lane, slot]]
        hidden, self.suffix = extend(
            self.config, self.dparams, tokens, self.prefix, self.prefix_len, self.suffix, self.suffix_len
        )
        for lane, slot in np.ndindex(*counts.shape):
            new = np.asarray(hidden)[lane, slot, : counts[lane, slot]]
            self.states[lane][slot] = np.concatenate([self.states[lane][slot], new])
        self.suffix_len = self.suffix_len + counts

    def commit(self, choice: np.ndarray, take: np.ndarray, suffix_capacity: int) -> None:
        self.prefix = commit(self.prefix, self.prefix_len, self.suffix, choice, take)
        self.prefix_len = self.prefix_len + take
        for lane in range(len(take)):
            self.states[lane] = [self.states[lane][choice[lane]][: self.prefix_len[lane]]] * NUM_SLOTS
        self.reset(suffix_capacity)

    def check(self, whole_bld: np.ndarray) -> None:
        for lane, slots in enumerate(self.states):
            for states in slots:
                np.testing.assert_allclose(states, whole_bld[lane, : len(states)], atol=2e-5)


def test_token_by_token_equals_uncached(config, make_params, tokens_bl, run) -> None:
    params = make_params(config)
    decoder = Decoder(config, params, tokens_bl, 16)
    for _ in range(12):
        decoder.feed(np.ones((3, NUM_SLOTS), int), 1)
    assert [len(slots[0]) for slots in decoder.states] == [18, 14, 21]
    decoder.check(run(config, params, tokens_bl))


def test_chunks_with_trailing_padding_and_commits_equal_uncached(each_config, make_params, tokens_bl, run) -> None:
    config, params = each_config, make_params(each_config)
    decoder = Decoder(config, params, tokens_bl, 12)
    decoder.feed(np.array([[4, 1], [2, 3], [0, 4]]), 4)
    decoder.feed(np.array([[1, 4], [4, 0], [3, 1]]), 4)
    decoder.commit(np.array([0, 1, 1]), np.array([5, 3, 2]), 12)
    decoder.feed(np.array([[3, 4], [4, 1], [2, 2]]), 4)
    decoder.commit(np.array([1, 0, 0]), np.array([4, 4, 0]), 12)
    decoder.feed(np.array([[1, 1], [1, 1], [1, 1]]), 1)
    assert list(decoder.prefix_len) == [15, 9, 11]
    decoder.check(run(config, params, tokens_bl))


def test_sequences_longer_than_a_block_equal_uncached(config, make_params, run) -> None:
    config = dataclasses.replace(config, max_len=170)
    params = make_params(config)
    tokens_bl = np.random.default_rng(5).integers(0, config.vocab_size, (3, 170))
    decoder = Decoder(config, params, tokens_bl, 80, prefix_capacity=170)
    for _ in range(2):
        decoder.feed(np.array([[35, 34], [35, 34], [35, 34]]), 35)
    decoder.commit(np.array([0, 1, 1]), np.array([70, 68, 60]), 80)
    decoder.feed(np.array([[35, 1], [35, 30], [0, 35]]), 35)
    decoder.commit(np.array([0, 1, 1]), np.array([35, 30, 35]), 80)
    decoder.feed(np.full((3, NUM_SLOTS), 35), 35)
    assert list(decoder.prefix_len) == [111, 100, 104]
    assert len(decoder.prefix.layers[0].k) == 3 and len(decoder.suffix.layers[0].k) == 2
    decoder.check(run(config, params, tokens_bl))


def test_rewinding_a_slot_forgets_what_it_had(config, make_params, tokens_bl, run) -> None:
    params = make_params(config)
    decoder = Decoder(config, params, tokens_bl, 8)
    right = decoder.tokens
    decoder.tokens = (right + 1) % config.vocab_size
    decoder.feed(np.full((3, NUM_SLOTS), 4), 4)
    decoder.tokens = right
    decoder.suffix_len[:] = 0
    decoder.states = [[states[:n] for states in slots] for slots, n in zip(decoder.states, PREFIX_LENS, strict=True)]
    decoder.feed(np.full((3, NUM_SLOTS), 2), 4)
    decoder.check(run(config, params, tokens_bl))


def test_decoding_without_a_prefix(config, make_params, tokens_bl, run) -> None:
    params = make_params(config)
    dparams = decoder_params(config, params)
    prefix, suffix = api.init_kv(config, 3, 0), api.init_kv(config, 3, 24)
    got, _ = extend(config, dparams, tokens_bl[:, None], prefix, np.zeros(3, int), suffix, np.zeros((3, 1), int))
    np.testing.assert_allclose(got[:, 0], run(config, params, tokens_bl), atol=2e-5)


def by_position(kv):
    """Return a cache's arrays with the positions on axis 1."""
    moved = [zip(layer, (3, 2, 1), strict=True) for layer in kv.layers]
    return [np.moveaxis(np.asarray(array), axis, 1) for layer in moved for blocks, axis in layer for array in blocks]


def test_writes_past_the_capacity_are_dropped(config, make_params, tokens_bl, run) -> None:
    params = make_params(config)
    decoder = Decoder(config, params, tokens_bl, 6)
    decoder.feed(np.full((3, NUM_SLOTS), 4), 4)
    # Two of four tokens fit: theirs are right, and nothing that was there before is overwritten.
    before = decoder.suffix
    decoder.feed(np.full((3, NUM_SLOTS), 2), 4)
    decoder.check(run(config, params, tokens_bl))
    for old, new in zip(by_position(before), by_position(decoder.suffix), strict=True):
        np.testing.assert_array_equal(np.asarray(old)[:, :4], np.asarray(new)[:, :4])


def test_prefill_does_not_see_its_padding(config, make_params, tokens_bl) -> None:
    dparams = decoder_params(config, make_params(config))
    lens = np.array([10, 3, 7])
    changed_bl = tokens_bl.copy()
    changed_bl[1, 3:] += 1
    got, _ = prefill(config, dparams, tokens_bl[:, :10], lens)
    changed, _ = prefill(config, dparams, changed_bl[:, :10], lens)
    for lane, n in enumerate(lens):
        np.testing.assert_array_equal(np.asarray(got)[lane, :n], np.asarray(changed)[lane, :n])


def test_bfloat16_cache_is_close_to_uncached(config, make_params, tokens_bl, run) -> None:
    params, half = make_params(config), dataclasses.replace(config, dtype="bfloat16")
    decoder = Decoder(half, params, tokens_bl, 8)
    assert {a.dtype for a in jax.tree.leaves(decoder.suffix)} == {jnp.dtype("bfloat16")}
    decoder.feed(np.full((3, NUM_SLOTS), 4), 4)
    whole = run(half, params, tokens_bl).astype(np.float32)
    for lane, (states, _) in enumerate(decoder.states):
        error = np.abs(states.astype(np.float32) - whole[lane, : len(states)])
        assert error.mean() < 0.05 * np.abs(whole).mean()


def test_float32_models_with_bfloat16_caches_are_close_to_uncached(each_config, make_params, tokens_bl, run) -> None:
    params, config = make_params(each_config), dataclasses.replace(each_config, cache_dtype="bfloat16")
    decoder = Decoder(config, params, tokens_bl, 8)
    # Kept as bits: see the module's docstring.
    assert {a.dtype for a in jax.tree.leaves((decoder.prefix, decoder.suffix))} == {jnp.dtype("uint16")}
    decoder.feed(np.full((3, NUM_SLOTS), 4), 4)
    decoder.commit(np.array([0, 1, 1]), np.array([4, 3, 4]), 8)
    decoder.feed(np.array([[3, 4], [4, 1], [2, 2]]), 4)
    whole = run(config, params, tokens_bl)
    table = np.asarray(params["embedding" if config.tied_embeddings else "unembedding"])
    for lane, slots in enumerate(decoder.states):
        for states in slots:
            assert states.dtype == np.float32
            logits, exact = states @ table.T, whole[lane, : len(states)] @ table.T
            assert 0 < np.abs(logits - exact).max() < 0.03 * np.abs(exact).max()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_compute_type_is_the_default_of_caches(config, make_params, tokens_bl, dtype) -> None:
    default = dataclasses.replace(config, dtype=dtype)
    named = dataclasses.replace(default, cache_dtype=dtype)
    dparams = decoder_params(default, make_params(config))

    def program(config: api.ModelConfig) -> str:
        prefix, suffix = api.init_kv(config, 3, 8), api.init_kv(config, 6, 8)
        lens_n, lens_ng = np.zeros(3, int), np.zeros((3, 2), int)
        arrays = dparams, np.zeros((3, 2, 1), int), prefix, lens_n, suffix, lens_ng
        return str(jax.make_jaxpr(functools.partial(api.extend, config))(*arrays))

    assert program(default) == program(named)
    assert {a.dtype for a in jax.tree.leaves(api.init_kv(default, 3, 8))} == {jnp.dtype(dtype)}


def test_what_a_head_keeps_stays_float32(config) -> None:
    kv = api.init_kv(dataclasses.replace(config, cache_dtype="bfloat16"), 2, 8, api.ProductHead())
    assert {a.dtype for a in jax.tree.leaves(kv.layers)} == {jnp.dtype("uint16")}
    assert {a.dtype for a in jax.tree.leaves(kv.head)} == {jnp.dtype("float32")}


def test_extend_runs_inside_a_while_loop(config, make_params, tokens_bl, run) -> None:
    params = make_params(config)
    decoder = Decoder(config, params, tokens_bl, 10)

    @functools.partial(jax.jit, static_argnums=0)
    def loop(config: api.ModelConfig, dparams: api.DecoderParams, prefix: api.KV, suffix: api.KV) -> jax.Array:
        def body(carry):
            i, suffix, out = carry
            token_n = jnp.take_along_axis(jnp.array(tokens_bl), (PREFIX_LENS + i)[:, None], axis=1)
            token_ngt = jnp.broadcast_to(token_n[:, :, None], (3, NUM_SLOTS, 1))
            lens = jnp.full((3, NUM_SLOTS), i)
            hidden, suffix = api.extend(config, dparams, token_ngt, prefix, jnp.array(PREFIX_LENS), suffix, lens)
            return i + 1, suffix, out.at[i].set(hidden[:, 1, 0])

        out = jnp.zeros((8, 3, config.d_model))
        return jax.lax.while_loop(lambda carry: carry[0] < 8, body, (0, suffix, out))[2]

    got = loop(config, decoder.dparams, decoder.prefix, decoder.suffix)
    whole = run(config, params, tokens_bl)
    for lane, n in enumerate(PREFIX_LENS):
        np.testing.assert_allclose(np.asarray(got)[:, lane], whole[lane, n : n + 8], atol=2e-5)


def test_taken_and_put_rows_decode_as_the_originals(config, make_params, tokens_bl, run) -> None:
    params = make_params(config)
    decoder = Decoder(config, params, tokens_bl, 8)
    order = np.array([2, 0, 0])
    decoder.prefix = api.take_rows(decoder.prefix, order)
    decoder.tokens, decoder.prefix_len = decoder.tokens[order], decoder.prefix_len[order]
    # Lane 1 is handed row 1 again, from a smaller cache; row number 3 is past the end.
    row, new = np.array([1, 3]), prefill(config, decoder.dparams, tokens_bl[1:][:, :10], PREFIX_LENS[1:])[1]
    decoder.prefix = api.put_rows(decoder.prefix, row, new)
    decoder.tokens[1], decoder.prefix_len[1] = tokens_bl[1], PREFIX_LENS[1]
    decoder.states = [[np.zeros((0, config.d_model))] * NUM_SLOTS for _ in range(3)]
    decoder.feed(np.full((3, NUM_SLOTS), 4), 4)
    whole = run(config, params, tokens_bl)
    for lane, source in enumerate([2, 1, 0]):
        n = PREFIX_LENS[source]
        np.testing.assert_allclose(decoder.states[lane][0], whole[source, n : n + 4], atol=2e-5)


@settings(max_examples=15)
@given(st.integers(0, 99), st.sampled_from([3, 70]))
def test_taken_positions_are_those_asked_for(seed: int, taken_len: int) -> None:
    config = api.ModelConfig(
        vocab_size=9, num_layers=2, d_model=4, num_heads=2, num_kv_heads=2, head_dim=2, d_ff=4, shift_width=1
    )
    empty = api.init_kv(config, 3, 150)
    kv = jax.tree.map(lambda a: np.random.default_rng(a.size).standard_normal(a.shape).astype(a.dtype), empty)
    assert len(kv.layers[0].v) > 1
    position_nsm = np.random.default_rng(seed).integers(0, 150, (3, 2, taken_len))
    taken = jax.jit(api.take_positions)(kv, position_nsm)
    assert jax.tree.map(jnp.shape, taken) == jax.tree.map(jnp.shape, api.init_kv(config, 6, taken_len))
    for whole, part in zip(kv.layers, taken.layers, strict=True):
        for blocks, got, axis in zip(whole, part, (3, 2, 1), strict=True):
            joined, joined_got = (np.moveaxis(np.concatenate(each, axis), axis, 1) for each in (blocks, got))
            for row in range(6):
                want = joined[row // 2][position_nsm[row // 2, row % 2]]
                np.testing.assert_array_equal(joined_got[row], want)


@settings(max_examples=15)
@given(
    lens=st.lists(st.integers(0, 6), min_size=3, max_size=3),
    take=st.lists(st.integers(0, 4), min_size=3, max_size=3),
    choice=st.lists(st.integers(0, 1), min_size=3, max_size=3),
)
def test_commit_moves_exactly_the_chosen_tokens(lens: list[int], take: list[int], choice: list[int]) -> None:
    config = api.ModelConfig(
        vocab_size=9, num_layers=1, d_model=4, num_heads=2, num_kv_heads=2, head_dim=2, d_ff=4, shift_width=1
    )
    filled = [
        jax.tree.map(lambda a, first=first: first + np.arange(a.size, dtype=a.dtype).reshape(a.shape), kv)
        for first, kv in ((0, api.init_kv(config, 3, 8)), (1000, api.init_kv(config, 6, 4)))
    ]
    lens_n, take_n, choice_n = np.array(lens), np.array(take), np.array(choice)
    got = commit(filled[0], lens_n, filled[1], choice_n, take_n)
    for old, own, new in zip(*(by_position(kv) for kv in (*filled, got)), strict=True):
        want, slots = np.array(old), np.asarray(own).reshape(3, 2, *own.shape[1:])
        for lane in range(3):
            end = min(lens[lane] + take[lane], 8)
            want[lane, lens[lane] : end] = slots[lane, choice[lane], : end - lens[lane]]
        np.testing.assert_array_equal(new, want)


@pytest.mark.parametrize("shift_width", [0, 3])
def test_an_empty_cache_holds_one_layer_per_layer(shift_width: int) -> None:
    config = api.preset("0.5m", 64, shift_width=shift_width)
    kv = api.init_kv(config, 5, 7)
    per_layer = 2 * 5 * 7 * config.num_kv_heads * config.head_dim + (5 * 7 * config.d_model if shift_width else 0)
    assert sum(a.size for a in jax.tree.leaves(kv)) == config.num_layers * per_layer
