import jax
import numpy as np

from procsup_jax.models import api
from procsup_jax.models.heads import product

HEAD = api.ProductHead()


def test_it_is_the_probability_that_no_token_of_the_solution_was_a_mistake(
    config, make_params, tokens_bl, run, read_whole, prompt_lens
):
    params = api.with_head(config, make_params(config), HEAD)
    weights = 0.01 * np.random.default_rng(3).standard_normal(params["head"].shape)
    got = read_whole(config, HEAD, {**params, "head": weights}, tokens_bl)
    hidden = np.asarray(run(config, params, tokens_bl), np.float64)
    for row, prompt_len in enumerate(prompt_lens):
        prob = 1.0
        for t in range(prompt_len, tokens_bl.shape[1]):
            logits = hidden[row, t - 1] @ np.asarray(params["embedding"], np.float64).T
            logprobs = logits - np.log(np.exp(logits).sum())
            surprise = -logprobs[tokens_bl[row, t]]
            features = [
                *np.tanh(surprise / np.array(product.SURPRISE_SCALES)),
                *np.tanh((surprise + logprobs.max()) / np.array(product.SHORTFALL_SCALES)),
                *np.tanh(-(np.exp(logprobs) * logprobs).sum() / np.array(product.ENTROPY_SCALES)),
            ]
            mistake = product.PRIOR_LOGIT + product.GAIN * (np.array([*hidden[row, t], *features, 1.0]) @ weights)
            prob *= 1 / (1 + np.exp(mistake))
            if 1e-6 < prob < 1 - 1e-6:
                np.testing.assert_allclose(got[row, t], np.log(prob) - np.log1p(-prob), rtol=1e-3, atol=1e-3)
    assert (np.diff(got, axis=1)[:, 9:] <= 0).all() and np.ptp(got[:, 9:]) > 1


def test_the_prompt_counts_for_nothing_itself(config, make_params, tokens_bl, read_whole, prompt_lens):
    params = api.with_head(config, make_params(config), HEAD)
    logits = read_whole(config, HEAD, params, tokens_bl)
    prob = jax.nn.sigmoid(-product.PRIOR_LOGIT)
    for row, prompt_len in enumerate(prompt_lens):
        assert (logits[row, :prompt_len] > 13).all()
        num = np.arange(1, tokens_bl.shape[1] - prompt_len + 1)
        np.testing.assert_allclose(jax.nn.sigmoid(logits[row, prompt_len:]), prob**num, rtol=1e-4)


def test_a_weight_a_hidden_unit_one_a_scale_and_a_bias(config):
    assert api.num_params(config, HEAD) == api.num_params(config) + config.d_model + 10 + 1
    assert not api.init_params(config, jax.random.key(0), head=HEAD)["head"].any()


def test_long_rows_make_few_logits_at_a_time():
    config = api.preset("1m", 2**20)
    assert [HEAD.num_logit_rows(config, 5, length) for length in (1, 3, 100)] == [5, 15, 20]
    assert HEAD.num_logit_rows(api.preset("1m", 2**23), 5, 100) == 5
