"""Searches hold for every kind of tokenizer and layout: steps end, and the reward model reads, as documented."""

import dataclasses
import zlib

import byte_ends
import jax
import numpy as np
import pytest
import reread
import small_models

from procsup_jax.decode import generate, score
from procsup_jax.searching.step_search import StepSearchSettings, step_search
from procsup_jax.searching.tree_search import TreeSearchSettings, tree_search
from procsup_jax.text import written as written_tokens
from procsup_jax.types import Problem

PROBLEMS = [Problem("a", "How many?", "1"), Problem("b", "Why?", "2")]
SETTINGS = StepSearchSettings(
    num_candidates=3, max_steps=4, max_step_tokens=24, max_new_tokens=64, calculator=False, lanes=2
)
TREE = TreeSearchSettings(dataclasses.replace(SETTINGS, calculator=True), "puct", num_expansions=8)


# The policy's tokenizer and layout; the reward model's where they are others, and its step marker.
PAIRS = [
    ("bpe", "lines", "bpe", "lines", None),
    ("triples_bpe", "paragraphs", "triples_bpe", "paragraphs", None),
    ("bpe", "lines", "sentencepiece", "lines", None),
    ("sentencepiece", "paragraphs", "vocab", "lines", None),
    ("triples_bpe", "paragraphs", "triples_bpe", "paragraphs", "<extra_0>"),
]


@pytest.fixture(scope="module", params=PAIRS, ids=lambda pair: "-".join(map(str, pair)))
def models(request):
    kind, layout, rm_kind, rm_layout, marker = request.param
    policy = small_models.writer(request.getfixturevalue(f"{kind}_folder"), layout)
    if request.param[2:] == (kind, layout, None):
        return policy, small_models.judge(policy)
    like = small_models.writer(request.getfixturevalue(f"{rm_kind}_folder"), rm_layout, max_len=320)
    return policy, small_models.judge(like.replace(layout=dataclasses.replace(like.layout, step_marker=marker)))


def naive_step(policy, prompt, written, limit, key):
    """Sample one step by re-reading everything for each token."""
    separator_ids, allowed_v = policy.encoding.separator_ids, generate.vocab_tables(policy, False).allowed_v
    step = []
    while len(step) < limit:
        token = reread.draw(policy, prompt + written + step, allowed_v, key, len(written) + len(step))
        place = len(separator_ids) - (limit - len(step))
        if place >= 0 and not ends(policy, [*written, *step, token]):
            token = separator_ids[place]
        step.append(token)
        if ends(policy, written + step):
            break
    return step


def ends(policy, tokens):
    step_ends, *_, is_end = byte_ends.of_tokens(policy, tokens)[-1]
    return step_ends or is_end


def read_by(rm, encoding, ids, final):
    """Return the tokens that a reward model reads of a solution's, or of its text where it has others."""
    body = written_tokens.body(ids, encoding.token_bytes, encoding.separator, encoding.end_ids)
    if encoding.same_tokens(rm.encoding):
        return [*body.ids, encoding.end_id] if final else ids
    steps = encoding.steps(body.text)
    return [t for i, step in enumerate(steps) for t in rm.encoding.step(step, is_last=final and i + 1 == len(steps))]


def naive_search(policy, rm, problem, settings, seed):
    """Search greedily as documented, with no cache at all; return tokens and the chosen steps' probabilities."""
    encoding = policy.encoding
    prompt = encoding.prompt_ids(problem.question)
    key = jax.random.fold_in(jax.random.key(seed), zlib.crc32(problem.uid.encode()))
    written, chosen = [], []
    while len(chosen) < settings.max_steps and len(written) + len(encoding.separator_ids) < settings.max_new_tokens:
        limit = min(settings.max_step_tokens, settings.max_new_tokens - len(written))
        best = None
        for k in range(settings.num_candidates):
            step = naive_step(policy, prompt, written, limit, jax.random.fold_in(key, k))
            events = byte_ends.of_tokens(policy, written + step)
            final = events[-1][4] or any(answer for _, answer, *_ in events[len(written) :])
            if not events[-1][2]:
                continue
            read = read_by(rm, encoding, written + step, final)
            prob = reread.prob(rm, rm.encoding.prompt_ids(problem.question), read)
            if best is None or prob > best[0]:
                best = prob, step, final
        if best is None:
            break
        chosen.append(best[0])
        written = written + best[1]
        if best[2]:
            break
    return written, chosen


def test_equals_the_search_that_re_reads_everything(models):
    found = step_search(*models, PROBLEMS, SETTINGS, seed=3)
    for problem, got in zip(PROBLEMS, found, strict=True):
        tokens, probs = naive_search(*models, problem, SETTINGS, 3)
        assert got.sample.solution == models[0].encoding.written(tokens)[0]
        assert got.sample.tokens == len(tokens)
        np.testing.assert_allclose(got.step_probs, probs, rtol=1e-3)


def test_step_probs_are_those_of_scoring_the_solution(models):
    policy, rm = models
    found = [f for seed in range(8) for f in step_search(policy, rm, PROBLEMS, SETTINGS, seed=seed)]
    if rm.tokenizer.digest != policy.tokenizer.digest or policy.layout.name == "lines":
        found += tree_search(policy, rm, PROBLEMS, TREE, seed=1)
    samples = [f.sample for f in found]
    if rm.encoding.separator != policy.encoding.separator:
        # Another separator makes other steps: say which are meant.
        steps = [tuple(policy.encoding.steps(sample.solution)) for sample in samples]
        samples = [dataclasses.replace(s, steps=each) for s, each in zip(samples, steps, strict=True)]
    scored = score.score_samples(rm, PROBLEMS, samples, batch_size=4)
    num_final = 0
    for f, probs in zip(found, scored, strict=True):
        np.testing.assert_allclose(f.step_probs[:-1], probs[:-1], rtol=1e-3)
        # What its caps ended is read at a separator there, and at an end token here.
        if f.sample.answer is not None:
            np.testing.assert_allclose(f.step_probs, probs, rtol=1e-3)
            num_final += 1
    assert num_final > 1
