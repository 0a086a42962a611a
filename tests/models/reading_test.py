"""A reward model's two readings: by definition, packed, and from a cache."""

import dataclasses

import jax
import numpy as np
import pytest

from procsup_jax.errors import UserError
from procsup_jax.models import api, reading

IDS = (5, 11)
PROMPT_LENS = np.array([6, 2, 9])

rm_logits = jax.jit(api.rm_logits, static_argnums=(0, 6))
rm_extend = jax.jit(api.rm_extend, static_argnums=(0, 7))
prefill = jax.jit(api.prefill, static_argnums=0, static_argnames="capacity")
commit = jax.jit(api.commit, static_argnums=0)


def read_whole(config, params, tokens_bl):
    """Return the logits of unpacked rows whose prompts have PROMPT_LENS tokens."""
    positions = np.tile(np.arange(tokens_bl.shape[1]), (len(tokens_bl), 1))
    solution = (positions >= PROMPT_LENS[: len(tokens_bl), None]).astype(int)
    return np.asarray(rm_logits(config, params, tokens_bl, positions, np.ones_like(positions), solution, IDS))


def test_a_verdict_is_the_difference_of_two_logits(each_config, make_params, tokens_bl, run):
    params = make_params(each_config)
    logits = api.unembed(each_config, params, run(each_config, params, tokens_bl))
    got = read_whole(each_config, params, tokens_bl)
    np.testing.assert_allclose(got, logits[..., 5] - logits[..., 11], atol=2e-5)


def test_a_product_is_the_probability_that_no_token_of_the_solution_was_a_mistake(config, make_params, tokens_bl, run):
    config, params = api.with_reading(config, make_params(config), "product")
    weights = 0.01 * np.random.default_rng(3).standard_normal(params["reading"].shape)
    got = read_whole(config, {**params, "reading": weights}, tokens_bl)
    hidden = np.asarray(run(config, params, tokens_bl), np.float64)
    for row, prompt_len in enumerate(PROMPT_LENS):
        prob = 1.0
        for t in range(prompt_len, tokens_bl.shape[1]):
            logits = hidden[row, t - 1] @ np.asarray(params["embedding"], np.float64).T
            logprobs = logits - np.log(np.exp(logits).sum())
            surprise = -logprobs[tokens_bl[row, t]]
            features = [
                *np.tanh(surprise / np.array(reading.SURPRISE_SCALES)),
                *np.tanh((surprise + logprobs.max()) / np.array(reading.SHORTFALL_SCALES)),
                *np.tanh(-(np.exp(logprobs) * logprobs).sum() / np.array(reading.ENTROPY_SCALES)),
            ]
            mistake = reading.PRIOR_LOGIT + reading.GAIN * (np.array([*hidden[row, t], *features, 1.0]) @ weights)
            prob *= 1 / (1 + np.exp(mistake))
            if 1e-6 < prob < 1 - 1e-6:
                np.testing.assert_allclose(got[row, t], np.log(prob) - np.log1p(-prob), rtol=1e-3, atol=1e-3)
    assert (np.diff(got, axis=1)[:, 9:] <= 0).all() and np.ptp(got[:, 9:]) > 1


def test_the_prompt_counts_for_nothing_itself(config, make_params, tokens_bl):
    config, params = api.with_reading(config, make_params(config), "product")
    logits = read_whole(config, params, tokens_bl)
    prob = jax.nn.sigmoid(-reading.PRIOR_LOGIT)
    for row, prompt_len in enumerate(PROMPT_LENS):
        assert (logits[row, :prompt_len] > 13).all()
        num = np.arange(1, tokens_bl.shape[1] - prompt_len + 1)
        np.testing.assert_allclose(jax.nn.sigmoid(logits[row, prompt_len:]), prob**num, rtol=1e-4)


def test_packed_documents_are_read_as_if_alone(reader, tokens_bl):
    config, params = reader
    lens = [13, 8, 3]
    tokens = np.concatenate([row[:n] for row, n in zip(tokens_bl, lens, strict=True)])[None]
    positions = np.concatenate([np.arange(n) for n in lens])[None]
    segments = np.repeat([1, 2, 3], lens)[None]
    solution = np.concatenate([np.arange(n) >= p for n, p in zip(lens, PROMPT_LENS, strict=True)])[None] * 1
    got = np.asarray(rm_logits(config, params, tokens, positions, segments, solution, IDS))[0]
    whole = read_whole(config, params, tokens_bl)
    want = np.concatenate([row[:n] for row, n in zip(whole, lens, strict=True)])
    np.testing.assert_allclose(got[solution[0] > 0], want[solution[0] > 0], rtol=1e-4, atol=1e-4)


def test_cached_equals_uncached(reader, tokens_bl):
    """Two slots a lane read on from the prompt, padded; what one has read becomes the prefix, and both read on."""
    config, params = reader
    want = read_whole(config, params, tokens_bl)
    dparams = api.decoder_params(config, params)
    length = PROMPT_LENS.copy()
    _, prefix = prefill(config, dparams, tokens_bl[:, :10], length, capacity=24)

    def feed(suffix, suffix_len, counts, t):
        tokens = np.ones((3, 2, t), int)
        for lane, slot in np.ndindex(3, 2):
            at = length[lane] + suffix_len[lane, slot]
            tokens[lane, slot, : counts[lane, slot]] = tokens_bl[lane, at : at + counts[lane, slot]]
        logits, suffix = rm_extend(config, dparams, tokens, prefix, length, suffix, suffix_len, IDS)
        for lane, slot in np.ndindex(3, 2):
            at = length[lane] + suffix_len[lane, slot]
            n = counts[lane, slot]
            np.testing.assert_allclose(logits[lane, slot, :n], want[lane, at : at + n], rtol=1e-4, atol=1e-4)
        return suffix, suffix_len + counts

    suffix, suffix_len = feed(api.init_kv(config, 6, 12), np.zeros((3, 2), int), np.array([[4, 1], [2, 3], [0, 4]]), 4)
    suffix, suffix_len = feed(suffix, suffix_len, np.array([[1, 4], [4, 0], [3, 1]]), 4)
    take = np.array([5, 3, 2])
    prefix = commit(config, prefix, length, suffix, np.array([0, 1, 1]), take)
    length = length + take
    feed(api.init_kv(config, 6, 12), np.zeros((3, 2), int), np.array([[3, 4], [4, 1], [2, 2]]), 4)


def test_a_reading_is_added_once_and_taken_off_again(config, make_params):
    params = make_params(config)
    changed, more = api.with_reading(config, params, "product")
    assert changed.rm_reading == "product" and not more["reading"].any()
    trained = {**more, "reading": more["reading"] + 1}
    assert api.with_reading(changed, trained, "product")[1] is trained
    back, fewer = api.with_reading(changed, trained, "verdict")
    assert back == config and fewer.keys() == params.keys()


def test_an_unknown_reading_is_refused(config):
    with pytest.raises(UserError, match="rm_reading='both': expected one of verdict, product"):
        dataclasses.replace(config, rm_reading="both")
