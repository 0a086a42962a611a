"""SmolLM2-135M-Instruct against what an independent implementation computed."""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tokenizers

from procsup_jax.io.params import load_params
from procsup_jax.models import api

FOLDER = pathlib.Path(__file__).parents[3] / "models/smollm2"
LENGTH = 64
TOLERANCE = 2e-3


@pytest.fixture(scope="module")
def golden(shared_data):
    return json.loads((shared_data.parent / "smollm2_golden.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def folder():
    if not (FOLDER / "model.json").is_file():
        pytest.skip(f"{FOLDER} is absent: `make smollm2` makes it")
    return FOLDER


def test_text_has_the_same_ids(folder, golden):
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    for each in golden:
        assert tokenizer.encode(each["text"]).ids == each["ids"]
        assert tokenizer.decode(each["ids"], skip_special_tokens=False) == each["text"]


def test_every_token_is_as_likely_and_the_same_come_next(folder, golden):
    model = load_params(folder)
    assert (model.config.rope_theta, model.config.vocab_size, model.config.tied_embeddings) == (100000.0, 49152, True)

    @jax.jit
    def read(params, tokens_bl, segments_bl):
        positions_bl = jnp.arange(LENGTH)[None]
        states_bld = api.hidden(model.config, params, tokens_bl, positions_bl, segments_bl)
        return api.unembed(model.config, params, states_bld)

    tokens_bl, segments_bl = np.zeros((2, len(golden), LENGTH), np.int32)
    for b, each in enumerate(golden):
        tokens_bl[b, : len(each["ids"])], segments_bl[b, : len(each["ids"])] = each["ids"], 1
    logits_blv = np.asarray(read(model.params, tokens_bl, segments_bl), np.float64)
    for each, logits_lv in zip(golden, logits_blv, strict=True):
        ids, logits_lv = each["ids"], logits_lv[: len(each["ids"])]
        totals_l = np.logaddexp.reduce(logits_lv, axis=-1)
        nll = [totals_l[i] - logits_lv[i, token] for i, token in enumerate(ids[1:])]
        np.testing.assert_allclose(nll, each["nll"], atol=TOLERANCE)
        assert np.argsort(-logits_lv[-1])[: len(each["top_ids"])].tolist() == each["top_ids"]
        np.testing.assert_allclose(logits_lv[-1, each["top_ids"]], each["top_logits"], atol=TOLERANCE)
