"""Sampling holds for every kind of tokenizer and layout."""

import dataclasses

import byte_ends
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_models

from procsup_jax.decode import generate
from procsup_jax.decode.generate import DecodeSettings, Prompt
from procsup_jax.models import api
from procsup_jax.text import calculator as exact
from procsup_jax.text.steps import split_steps

SETTINGS = DecodeSettings(num_samples=8, max_new_tokens=96, lanes=2, slots=4)
QUESTIONS = ["How many?", "Why?", "How many apples does Ann have in all?"]


def writer(request):
    kind, layout = request.param
    return small_models.writer(request.getfixturevalue(f"{kind}_folder"), layout)


model = pytest.fixture(writer, scope="module", params=small_models.KINDS, ids="-".join)
one_of_three = pytest.fixture(writer, scope="module", params=small_models.THREE, ids="-".join)


def sample(model, settings):
    prompts = [Prompt(q, model.encoding.prompt_ids(q)) for q in QUESTIONS]
    return [each for samples in generate.generate(model, prompts, settings, seed=0) for each in samples]


def assert_stops_where_it_should(model, sample, settings):
    ends = [
        is_end or (step_ends and (answer or settings.stop == "step"))
        for step_ends, answer, _, _, is_end in byte_ends.of_tokens(model, sample.tokens)
    ]
    assert ends.count(True) == sample.stopped and ends[-1] == sample.stopped
    assert sample.stopped or len(sample.tokens) == settings.max_new_tokens


def test_samples_stop_where_their_layout_says(model):
    found = sample(model, SETTINGS)
    for each in found:
        assert_stops_where_it_should(model, each, SETTINGS)
    last = [each.tokens[-1] for each in found if each.stopped]
    assert len(last) > 4 and {token in model.encoding.end_ids for token in last} == {True, False}


def test_a_step_stops_at_its_separator(one_of_three):
    model = one_of_three
    settings = dataclasses.replace(SETTINGS, stop="step", num_samples=3)
    found = sample(model, settings)
    for each in found:
        assert_stops_where_it_should(model, each, settings)
    assert any(each.stopped for each in found)


def test_records_hold_what_was_written_without_what_ended_it(model):
    separator = model.layout.separator
    for each in sample(model, SETTINGS):
        record = generate.to_sample(model, each)
        decoded = model.decode(each.tokens)
        assert decoded.startswith(record.solution) and (each.stopped or decoded == record.solution)
        tokens, ends = model.encoding.sample(record)
        assert len(ends) == len(split_steps(record.solution, separator)) and ends[-1] == len(tokens) - 1
        assert tokens[-1] == model.encoding.end_id and tuple(tokens[:-1]) == each.tokens[: len(tokens) - 1]


def test_values_are_forced_in_the_tokenizers_own_tokens(model):
    num_forced = 0
    for each in sample(model, SETTINGS):
        text = model.decode(each.tokens)
        for found in exact.annotations(text):
            value = exact.evaluate(found.expression)
            written = None if value is None else exact.format_value(value)
            if written is not None:
                assert found.written == written
                own = model.encode(f"{written}>>")
                pairs = zip(*(each.tokens[i:] for i in range(len(own))), strict=False)
                assert tuple(own) in pairs
                num_forced += 1
    assert num_forced > 1


@jax.jit(static_argnums=0)
def _all_logits(config, params, tokens_1l, length):
    positions = jnp.arange(tokens_1l.shape[1])[None]
    return api.unembed(config, params, api.hidden(config, params, tokens_1l, positions, (positions < length) * 1))[0]


def test_greedy_tokens_are_those_of_uncached_reading(one_of_three):
    model = one_of_three
    settings = dataclasses.replace(SETTINGS, temperature=0.0, num_samples=1, max_new_tokens=24, calculator=False)
    tables = generate.vocab_tables(model, False)
    for question, each in zip(QUESTIONS, sample(model, settings), strict=True):
        prompt = model.encoding.prompt_ids(question)
        padded = np.zeros((1, model.config.max_len), np.int32)
        padded[0, : len(prompt) + len(each.tokens)] = [*prompt, *each.tokens]
        logits_lv = _all_logits(model.config, model.params, padded, len(prompt) + len(each.tokens))
        before = np.arange(len(prompt), len(prompt) + len(each.tokens)) - 1
        assert np.where(tables.allowed_v, logits_lv[before], -np.inf).argmax(-1).tolist() == list(each.tokens)
        logprobs = jax.nn.log_softmax(logits_lv[before])[np.arange(len(before)), np.array(each.tokens)]
        assert each.logprob == pytest.approx(float(logprobs.sum()), abs=1e-3)


def test_other_lanes_and_slots_change_no_sample(one_of_three):
    model = one_of_three
    wide = dataclasses.replace(SETTINGS, lanes=3, slots=8)
    assert [each.tokens for each in sample(model, wide)] == [each.tokens for each in sample(model, SETTINGS)]
