import dataclasses
import random
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from procsup_jax.decode import batching, feeder, generate
from procsup_jax.decode.generate import DecodeSettings, Prompt
from procsup_jax.errors import UserError
from procsup_jax.models import api
from procsup_jax.parallel import mesh as meshes
from procsup_jax.parallel import rules
from procsup_jax.types import Problem

BASE = DecodeSettings(num_samples=4, max_new_tokens=10, calculator=False, lanes=2, slots=2)


def random_prompts(model, num):
    rng = random.Random(0)
    words = ["Ann", " has", " 5", " apples", "7", "\n", "How", " many", "?"]
    texts = ["".join(rng.choices(words, k=rng.randint(1, 12))) for _ in range(num)]
    return [Prompt(f"p{i}", model.encode(text)) for i, text in enumerate(texts)]


def naive_sample(model, prompt, settings, seed, sample):
    """Write one sample by re-reading everything for each token, choosing tokens by the documented keys."""
    key = jax.random.fold_in(jax.random.key(seed), zlib.crc32(prompt.uid.encode()))
    key = jax.random.fold_in(key, sample)
    vocab = model.tokenizer
    allowed = np.array([bool(b) for b in vocab.token_bytes()] + [False] * (model.config.vocab_size - vocab.size))
    allowed[vocab.eos_id] = True
    tokens, logprob, marked = [], 0.0, False
    for index in range(settings.max_new_tokens):
        logits = next_logits(model, [*prompt.tokens, *tokens])
        kept = np.where(allowed, logits, -np.inf)
        if settings.temperature == 0.0:
            token = int(np.argmax(kept))
        else:
            probs = np.exp((kept - kept.max()) / settings.temperature, dtype=np.float64)
            uniform = float(jax.random.uniform(jax.random.fold_in(key, index)))
            token = int(np.searchsorted(np.cumsum(probs), uniform * probs.sum(), side="right"))
        logprob += float(jax.nn.log_softmax(logits)[token])
        tokens.append(token)
        marked |= token == vocab.encode("#### ")[0]
        if token == vocab.eos_id or (token == vocab.sep_id and (marked or settings.stop == "step")):
            return tuple(tokens), logprob, True
        marked &= token != vocab.sep_id
    return tuple(tokens), logprob, False


_PADDED = 256


@jax.jit(static_argnums=0)
def _all_logits(config, params, tokens_1l, length):
    positions = jnp.arange(_PADDED)[None]
    hidden = api.hidden(config, params, tokens_1l, positions, (positions < length).astype(jnp.int32))
    return api.unembed(config, params, hidden)


def next_logits(model, tokens):
    padded = np.zeros((1, _PADDED), np.int32)
    padded[0, : len(tokens)] = tokens
    return np.asarray(_all_logits(model.config, model.params, padded, len(tokens))[0, len(tokens) - 1])


def flat(generated):
    return [(g.uid, g.sample, g.tokens, g.stopped) for samples in generated for g in samples]


def logprobs(generated):
    return np.array([g.logprob for samples in generated for g in samples])


def assert_equals_naive(model, prompts, settings):
    got = generate.generate(model, prompts, settings, seed=5)
    for prompt, samples in zip(prompts, got, strict=True):
        for sample in samples:
            tokens, logprob, stopped = naive_sample(model, prompt, settings, 5, sample.sample)
            assert (sample.tokens, sample.stopped) == (tokens, stopped)
            assert sample.logprob == pytest.approx(logprob, abs=1e-3)
    return got


def test_equals_sampling_by_uncached_forward_passes(model, vocab):
    prompts = [*random_prompts(model, 3), Prompt("long", vocab.encode("5") * 160), Prompt("short", [vocab.sep_id])]
    assert len({batching.length_bucket(len(p.tokens)) for p in prompts}) == 2
    got = assert_equals_naive(model, prompts, BASE)
    assert len({len(s.tokens) for samples in got for s in samples}) > 3


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_temperature_divides_the_logits_and_zero_is_greedy(model, temperature):
    settings = dataclasses.replace(BASE, temperature=temperature)
    got = assert_equals_naive(model, random_prompts(model, 3), settings)
    distinct = {len({s.tokens for s in samples}) for samples in got}
    assert distinct == {1} if temperature == 0.0 else max(distinct) > 1


def test_the_greedy_sample_follows_the_others_and_changes_none(model):
    prompts = random_prompts(model, 5)
    drawn = generate.generate(model, prompts, BASE, seed=1)
    both = generate.generate(model, prompts, dataclasses.replace(BASE, with_greedy=True), seed=1)
    assert flat([samples[:-1] for samples in both]) == flat(drawn)
    greedy_alone = dataclasses.replace(BASE, temperature=0.0, num_samples=1)
    alone = generate.generate(model, prompts, greedy_alone, seed=1)
    last = [samples[-1] for samples in both]
    assert [g.sample for g in last] == [BASE.num_samples] * 5
    assert [(g.tokens, g.stopped) for g in last] == [(g.tokens, g.stopped) for [g] in alone]


def test_the_number_of_samples_compiles_nothing_anew(model):
    more = dataclasses.replace(BASE, num_samples=7, with_greedy=True, lanes=3)
    assert generate.make_program(model, BASE) == generate.make_program(model, more)


def test_samples_depend_on_nothing_but_prompt_seed_and_index(model):
    prompts = random_prompts(model, 7)
    base = generate.generate(model, prompts, BASE, seed=1)
    assert [[g.sample for g in samples] for samples in base] == [[0, 1, 2, 3]] * 7
    assert [samples[0].uid for samples in base] == [p.uid for p in prompts]
    wide = generate.generate(model, prompts, dataclasses.replace(BASE, lanes=5, slots=9), seed=1)
    assert flat(wide) == flat(base)
    np.testing.assert_allclose(logprobs(wide), logprobs(base), rtol=1e-5, atol=1e-5)
    assert flat(generate.generate(model, prompts[::-2], BASE, seed=1)) == flat(base[::-2])
    later = generate.generate(model, prompts, BASE, seed=1, first_sample=2)
    assert flat([samples[:2] for samples in later]) == flat([samples[2:] for samples in base])
    assert flat(generate.generate(model, prompts, BASE, seed=2)) != flat(base)


def test_streams_change_no_sample(model, monkeypatch):
    prompts, wide = random_prompts(model, 7), dataclasses.replace(BASE, lanes=4)
    alone = generate.generate(model, prompts, wide, seed=1)
    monkeypatch.setattr(feeder, "split", lambda *_: feeder.Streams(2, 2))
    streamed = generate.generate(model, prompts, wide, seed=1)
    assert flat(streamed) == flat(alone)
    np.testing.assert_allclose(logprobs(streamed), logprobs(alone), atol=1e-4)


@pytest.mark.parametrize("shared_len", [1, 150])
def test_what_stands_before_every_prompt_is_read_once_and_changes_no_sample(model, vocab, shared_len):
    rng = np.random.default_rng(3)
    shared = rng.integers(8, vocab.size, shared_len).tolist()
    prompts = [*random_prompts(model, 5), Prompt("short", [vocab.sep_id])]
    whole = [Prompt(p.uid, [*shared, *p.tokens]) for p in prompts]
    base = generate.generate(model, whole, BASE, seed=1)
    got = generate.generate(model, prompts, BASE, seed=1, shared=shared)
    assert flat(got) == flat(base)
    np.testing.assert_allclose(logprobs(got), logprobs(base), rtol=1e-4, atol=1e-4)
    too_long = dataclasses.replace(BASE, max_new_tokens=256 - shared_len)
    with pytest.raises(UserError, match=f"a prompt of {shared_len + len(prompts[0].tokens)} tokens"):
        generate.generate(model, prompts, too_long, seed=1, shared=shared)


def test_a_mesh_changes_no_sample_of_the_calculators(model):
    settings = dataclasses.replace(BASE, calculator=True)
    prompts = random_prompts(model, 5)
    base = generate.generate(model, prompts, settings, seed=1)
    mesh = meshes.make_mesh(meshes.MeshSettings(8, 1, 1))
    axes, shapes = api.param_axes(model.config), api.abstract_params(model.config)
    placed = model.replace(params=jax.device_put(model.params, rules.tree_sharding(mesh, axes, shapes)), mesh=mesh)
    got = generate.generate(placed, prompts, settings, seed=1)
    assert flat(got) == flat(base)
    np.testing.assert_allclose(logprobs(got), logprobs(base), rtol=1e-4, atol=1e-4)


def test_bfloat16_caches_change_few_greedy_tokens(model):
    prompts, greedy = random_prompts(model, 8), dataclasses.replace(BASE, temperature=0.0, num_samples=1)
    exact, rough = (
        generate.generate(model, prompts, dataclasses.replace(greedy, cache_dtype=each), seed=0)
        for each in ("", "bfloat16")
    )
    assert sum(a == b for a, b in zip(flat(exact), flat(rough), strict=True)) >= 6
    assert np.abs(logprobs(exact) - logprobs(rough)).max() > 0


def test_the_calculator_writes_the_value(scripted, vocab):
    to_nine = [*vocab.encode("\n<<5+3="), vocab.encode("9")[0], vocab.eos_id]
    wide = scripted(to_nine, [vocab.encode(">>")[0], vocab.eos_id])
    settings = DecodeSettings(temperature=0.0, num_samples=2, max_new_tokens=16, lanes=2, slots=1)
    prompt = [Prompt("a", vocab.encode("Ann\n"))]
    theirs = Prompt("b", vocab.encode("<<"))
    [[forced, second], [open_before, _]] = generate.generate(wide, [*prompt, theirs], settings, seed=0)
    assert vocab.decode(forced.tokens) == vocab.decode(second.tokens) == "<<5+3=8>>"
    assert vocab.decode(open_before.tokens) == "5+3=9", "an expression that the prompt left open is not the policy's"
    assert forced.tokens[-1] == vocab.eos_id and forced.stopped
    each = float(jax.nn.log_softmax(next_logits(wide, vocab.encode("Ann\n"))).max())
    assert forced.logprob == pytest.approx(6 * each, rel=1e-3)  # << 5 + 3 = and eos: two tokens were forced

    off = dataclasses.replace(settings, calculator=False)
    [[free, _]] = generate.generate(wide, prompt, off, seed=0)
    assert vocab.decode(free.tokens) == "<<5+3=9"


def test_stop_rules(scripted, vocab):
    settings = DecodeSettings(temperature=0.0, max_new_tokens=9, slots=1, calculator=False)
    wide = scripted([vocab.sep_id, *vocab.encode("#### 5"), vocab.sep_id])
    [[final]] = generate.generate(wide, [Prompt("a", [vocab.sep_id])], settings, seed=0)
    assert (vocab.decode(final.tokens), final.stopped) == ("#### 5\n", True)
    assert generate.to_sample(wide, final).solution == "#### 5"

    wide = scripted([*vocab.encode("5\n7+"), vocab.eos_id])
    start = [Prompt("a", vocab.encode("5"))]
    [[whole]] = generate.generate(wide, start, settings, seed=0)
    assert (vocab.decode(whole.tokens), whole.stopped) == ("\n7+", True)
    [[step]] = generate.generate(wide, start, dataclasses.replace(settings, stop="step"), seed=0)
    assert (step.tokens, step.stopped) == ((vocab.sep_id,), True)
    record = generate.to_sample(wide, whole)
    assert (record.solution, record.tokens, record.policy) == ("\n7+", 4, "sft")


def test_a_sample_at_its_limit_did_not_stop(scripted, vocab):
    wide = scripted(vocab.encode("0123456789+0"))
    settings = DecodeSettings(temperature=0.0, max_new_tokens=9, slots=1, calculator=False)
    [[cut]] = generate.generate(wide, [Prompt("a", vocab.encode("0"))], settings, seed=0)
    assert (vocab.decode(cut.tokens), cut.stopped) == ("123456789", False)
    assert generate.to_sample(wide, cut).solution == "123456789"


def test_reserved_tokens_and_rows_past_the_vocabulary_are_never_written(model, vocab):
    settings = DecodeSettings(temperature=50.0, num_samples=40, max_new_tokens=16, slots=40, calculator=False)
    [samples] = generate.generate(model, random_prompts(model, 1), settings, seed=0)
    written = {t for s in samples for t in s.tokens}
    assert len(written) > 150
    reserved = {vocab.pad_id, vocab.unk_id, vocab.token_id("<bos>"), vocab.correct_id, vocab.incorrect_id}
    assert not written & reserved and max(written) < vocab.size


def test_records_hold_text_answer_and_worked_examples(model):
    problems = [Problem("a", "How many?", "5", "x\n#### 5"), Problem("b", "7 apples?", "7")]
    settings = dataclasses.replace(BASE, num_samples=2)
    zero = generate.sample_problems(model, problems, settings, seed=0)
    assert [s.key for s in zero] == [("a", 0, None), ("a", 1, None), ("b", 0, None), ("b", 1, None)]
    assert {s.policy for s in zero} == {"sft"}
    few = generate.sample_problems(model, problems, settings, seed=0, examples=problems[:1])
    assert [s.solution for s in few] != [s.solution for s in zero]


def test_errors_name_the_value_and_the_fix(model, vocab):
    settings = DecodeSettings(max_new_tokens=255)
    long = [Prompt("long-one", vocab.encode("Ann has"))]
    with pytest.raises(UserError, match="'long-one'.*max_new_tokens=255.*max_len=256.*lower max_new_tokens"):
        generate.generate(model, long, settings, seed=0)
    with pytest.raises(UserError, match="prompt is empty"):
        generate.generate(model, [Prompt("e", [])], settings, seed=0)


@pytest.mark.parametrize(
    "change", [{"top_p": 0.0}, {"temperature": -1.0}, {"top_k": -1}, {"stop": "line"}, {"lanes": 0}, {"num_samples": 0}]
)
def test_settings_out_of_range_are_refused(change):
    [(name, value)] = change.items()
    with pytest.raises(UserError, match=f"decode {name}={value!r}: expected"):
        DecodeSettings(**change)


def test_no_prompts_give_no_samples(model):
    assert generate.generate(model, [], DecodeSettings(), seed=0) == []


def test_no_prompts_make_no_samples(model):
    assert generate.generate(model, [], BASE, seed=0) == []
