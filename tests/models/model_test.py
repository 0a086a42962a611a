"""A model whole: what it reads and writes, and the log-probabilities of texts."""

import jax
import numpy as np
import pytest

from procsup_jax.errors import UserError
from procsup_jax.models import api
from procsup_jax.models.model import Model
from procsup_jax.text.tokenizer import load_tokenizer


@pytest.fixture(scope="module")
def model(digits_bpe_folder):
    tokenizer = load_tokenizer(digits_bpe_folder)
    config = api.ModelConfig(tokenizer.size + 4, 1, 16, 2, 1, 8, 24, max_len=160)
    return Model(config, api.init_params(config, jax.random.key(0)), tokenizer, name="tiny")


def test_texts_and_ids(model):
    assert model.decode(model.encode("12 + 3 <|im_end|>")) == "12 + 3 <|im_end|>"


@pytest.mark.parametrize("length", [2, 127, 128, 129, 160])
def test_logprobs_are_those_of_the_next_token(model, length):
    ids = np.random.default_rng(0).integers(0, model.config.vocab_size, length)
    positions = np.arange(length)[None]
    states = api.hidden(model.config, model.params, ids[None], positions, np.ones_like(positions))
    logprob_lv = jax.nn.log_softmax(api.unembed(model.config, model.params, states))[0]
    wanted = [logprob_lv[i, token] for i, token in enumerate(ids[1:])]
    found = model.logprobs(ids.tolist())
    assert found.dtype == np.float32 and found.shape == (length - 1,)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert model.logprobs([3]).shape == model.logprobs([]).shape == (0,)


def test_mistakes_are_one_clear_line(model):
    with pytest.raises(UserError, match="tiny: 161 tokens, expected at most the model's max_len=160"):
        model.logprobs([0] * 161)
    with pytest.raises(UserError, match="tiny: token id -1, expected 0 to"):
        model.logprobs([0, -1])
    with pytest.raises(UserError, match="tiny is no reward model, as its model.json names no head"):
        _ = model.reward_head
    with pytest.raises(UserError, match=r"tiny is a reward model \(its head is classifier\): give a policy"):
        model.with_head(api.ClassifierHead()).check_policy()
    with pytest.raises(UserError, match=r"tiny: the tokenizer has \d+ tokens and the network vocab_size=30"):
        model.replace(config=api.ModelConfig(30, 1, 16, 2, 1, 8, 24))


def test_a_head_makes_a_reward_model_and_none_a_policy_again(model):
    judge = model.with_head(api.ClassifierHead())
    assert "head" in judge.params and judge.reward_head == api.ClassifierHead() == judge.network.head
    assert "head" not in judge.with_head(None).params
