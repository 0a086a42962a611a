"""SmolLM2-135M-Instruct against what an independent implementation computed."""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import procsup_jax
from procsup_jax.models import api

FOLDER = pathlib.Path(__file__).parents[3] / "models/smollm2"
TOLERANCE = 2e-3


@pytest.fixture(scope="module")
def golden(shared_data):
    return json.loads((shared_data.parent / "smollm2_golden.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def model():
    if not (FOLDER / "model.json").is_file():
        pytest.skip(f"{FOLDER} is absent: `make smollm2` makes it")
    return procsup_jax.load_model(FOLDER)


def test_text_has_the_same_ids(model, golden):
    for each in golden:
        assert model.tokenizer.encode(each["text"], special=True) == each["ids"]
        if "<|" not in each["text"]:
            assert model.encode(each["text"]) == each["ids"] and model.decode(each["ids"]) == each["text"]


def test_it_starts_with_nothing_and_ends_in_im_end(model):
    assert model.tokenizer.bos_id is None and model.tokenizer.eos_ids[0] == 2
    assert (model.config.rope_theta, model.config.vocab_size, model.config.tied_embeddings) == (100000.0, 49152, True)


def test_every_token_is_as_likely(model, golden):
    for each in golden:
        np.testing.assert_allclose(-model.logprobs(each["ids"]), each["nll"], atol=TOLERANCE)


def test_the_same_tokens_come_next(model, golden):
    @jax.jit
    def next_logits(params, tokens_bl, length):
        positions_bl = jnp.arange(tokens_bl.shape[1])[None]
        states_bld = api.hidden(model.config, params, tokens_bl, positions_bl, jnp.ones_like(tokens_bl))
        return api.unembed(model.config, params, states_bld[0, length - 1])

    for each in golden:
        tokens_bl = np.zeros((1, 64), np.int32)
        tokens_bl[0, : len(each["ids"])] = each["ids"]
        logits_v = np.asarray(next_logits(model.params, tokens_bl, len(each["ids"])))
        assert np.argsort(-logits_v)[: len(each["top_ids"])].tolist() == each["top_ids"]
        np.testing.assert_allclose(logits_v[each["top_ids"]], each["top_logits"], atol=TOLERANCE)
