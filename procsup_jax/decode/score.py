"""Read given solutions: a reward model's probability of `correct` after each step, a policy's of each token."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from procsup_jax.data.examples import prompt_ids, step_ids
from procsup_jax.decode.generate import check_vocab, length_bucket
from procsup_jax.errors import UserError
from procsup_jax.models import api
from procsup_jax.models.api import ModelConfig, Params
from procsup_jax.parallel import rules
from procsup_jax.progress import Progress
from procsup_jax.text.vocab import Vocab
from procsup_jax.types import Problem, Sample


class _Document(NamedTuple):
    """Hold a prompt with a solution, the number of the prompt's tokens, and the positions of the steps' end tokens."""

    tokens: list[int]
    prompt_len: int
    ends: list[int]


class _Batch(NamedTuple):
    """Hold padded documents: tokens [b, l], lengths, prompts' lengths, and the steps' ends [b, s]."""

    tokens_bl: jax.Array
    len_b: jax.Array
    prompt_len_b: jax.Array
    ends_bs: jax.Array


Key = tuple[str, str]


def score_samples(
    config: ModelConfig,
    params: Params,
    vocab: Vocab,
    problems: Sequence[Problem],
    samples: Sequence[Sample],
    *,
    batch_size: int,
    mesh: Mesh | None = None,
) -> list[np.ndarray]:
    """Return for each sample the probability of `correct` after each of its steps, float32 [s]; one pass a sample.

    A probability is the sigmoid of `api.rm_logits` at the step's end token, as in training: the separator after it,
    eos after the last. A solution without steps (empty) gives an empty array. Equal solutions of one problem are read
    once. What a sample gets does not depend on the others, their order, or `batch_size` (up to rounding).

    Raises UserError when a sample's problem is absent, when prompt and solution exceed the model's max_len, and when
    the vocabulary does not fit the model.
    """
    documents = _documents(config, vocab, problems, samples)
    program = functools.partial(_step_logits, config, (vocab.correct_id, vocab.incorrect_id), params)
    probs = {
        key: _sigmoid(logits_s[: len(documents[key].ends)])
        for key, logits_s in _read(program, documents, batch_size, mesh, "scoring")
    }
    return [probs[sample.problem_uid, sample.solution].copy() for sample in samples]


def step_logprobs(
    config: ModelConfig,
    params: Params,
    vocab: Vocab,
    problems: Sequence[Problem],
    samples: Sequence[Sample],
    *,
    batch_size: int,
    mesh: Mesh | None = None,
) -> list[list[np.ndarray]]:
    """Return for each sample and step the log-probabilities (nats) of the step's tokens under a policy, float32 [t].

    The policy reads the zero-shot prompt; the separator after a step, eos after the last, belongs to it. It is the
    whole distribution at temperature 1, and a token that the calculator would force counts like any other. Grouping,
    invariance and errors are those of `score_samples`.
    """
    documents = _documents(config, vocab, problems, samples)
    program = functools.partial(_token_logprobs, config, params)
    found: dict[Key, list[np.ndarray]] = {}
    for key, logprob_l in _read(program, documents, batch_size, mesh, "reading"):
        ends = [documents[key].prompt_len - 1, *documents[key].ends]
        found[key] = [logprob_l[a + 1 : b + 1] for a, b in zip(ends, ends[1:], strict=False)]
    return [[step.copy() for step in found[sample.problem_uid, sample.solution]] for sample in samples]


def _documents(
    config: ModelConfig, vocab: Vocab, problems: Sequence[Problem], samples: Sequence[Sample]
) -> dict[Key, _Document]:
    """Return each different solution once, by its problem and text."""
    check_vocab(config, vocab)
    questions = {problem.uid: problem.question for problem in problems}
    documents: dict[Key, _Document] = {}
    for sample in samples:
        key = (sample.problem_uid, sample.solution)
        if key not in documents:
            documents[key] = _document(config, vocab, questions, sample)
    return documents


def _read(
    program: Callable[[_Batch], jax.Array],
    documents: dict[Key, _Document],
    batch_size: int,
    mesh: Mesh | None,
    what: str,
) -> Iterator[tuple[Key, np.ndarray]]:
    """Yield each document's key and its row of what a program makes of padded batches (`_pad`)."""
    with rules.use(mesh), Progress(what, len(documents), "solution") as progress:
        for keys in _batches(documents, batch_size):
            rows = np.asarray(program(_pad([documents[key] for key in keys], batch_size)))
            yield from zip(keys, rows, strict=False)
            progress.update(len(keys))


def _document(config: ModelConfig, vocab: Vocab, questions: dict[str, str], sample: Sample) -> _Document:
    if sample.problem_uid not in questions:
        raise UserError(
            f"sample {sample.sample} of problem {sample.problem_uid!r}: there is no such problem; pass the problems "
            "that the samples were drawn for"
        )
    tokens = prompt_ids(vocab, questions[sample.problem_uid])
    prompt_len, ends = len(tokens), []
    for ids in step_ids(vocab, sample.solution):
        tokens += ids
        ends.append(len(tokens) - 1)
    if len(tokens) > config.max_len:
        raise UserError(
            f"sample {sample.sample} of problem {sample.problem_uid!r}: a prompt of {prompt_len} tokens and a solution "
            f"of {len(tokens) - prompt_len} exceed the model's max_len={config.max_len}: leave the sample out, or "
            "sample with a lower max_new_tokens"
        )
    return _Document(tokens, prompt_len, ends)


def _batches(documents: dict[Key, _Document], batch_size: int) -> list[list[Key]]:
    """Group documents of one length bucket."""
    if batch_size < 1:
        raise UserError(f"score batch_size={batch_size}: expected at least 1")
    by_bucket: dict[int, list[Key]] = {}
    for key, document in documents.items():
        by_bucket.setdefault(length_bucket(len(document.tokens)), []).append(key)
    return [
        keys[start : start + batch_size]
        for _, keys in sorted(by_bucket.items())
        for start in range(0, len(keys), batch_size)
    ]


def _pad(documents: Sequence[_Document], batch_size: int) -> _Batch:
    """Return the documents in rows of one length; rows past them are empty."""
    length = length_bucket(max(len(d.tokens) for d in documents))
    num_steps = length_bucket(max(len(d.ends) for d in documents), smallest=16)
    tokens_bl = np.zeros((batch_size, length), np.int32)
    len_b, prompt_len_b = np.zeros((2, batch_size), np.int32)
    ends_bs = np.zeros((batch_size, num_steps), np.int32)
    for row, document in enumerate(documents):
        len_b[row], prompt_len_b[row] = len(document.tokens), document.prompt_len
        tokens_bl[row, : len_b[row]] = document.tokens
        ends_bs[row, : len(document.ends)] = document.ends
    return _Batch(*map(jnp.asarray, (tokens_bl, len_b, prompt_len_b, ends_bs)))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _step_logits(config: ModelConfig, vocab_ids: tuple[int, int], params: Params, batch: _Batch) -> jax.Array:
    batch = _over_batch(batch)
    positions_bl, segments_bl = _places(batch)
    solution_bl = segments_bl * (positions_bl >= batch.prompt_len_b[:, None])
    logits_bl = api.rm_logits(config, params, batch.tokens_bl, positions_bl, segments_bl, solution_bl, vocab_ids)
    return rules.constrain(jnp.take_along_axis(logits_bl, batch.ends_bs, axis=1), (None, None))


@functools.partial(jax.jit, static_argnums=0)
def _token_logprobs(config: ModelConfig, params: Params, batch: _Batch) -> jax.Array:
    """Return the log-probability of each token given those before it, [b, l]; 0 for the first."""
    batch = _over_batch(batch)
    hidden_bld = api.hidden(config, params, batch.tokens_bl, *_places(batch))
    logprob_blv = jax.nn.log_softmax(api.unembed(config, params, hidden_bld[:, :-1]))
    logprob_bl = jnp.take_along_axis(logprob_blv, batch.tokens_bl[:, 1:, None], axis=2)[..., 0]
    return rules.constrain(jnp.pad(logprob_bl, ((0, 0), (1, 0))), (None, None))


def _places(batch: _Batch) -> tuple[jax.Array, jax.Array]:
    """Return each token's position and whether it is one, [b, l]."""
    positions_bl = jnp.broadcast_to(jnp.arange(batch.tokens_bl.shape[1]), batch.tokens_bl.shape)
    return positions_bl, (positions_bl < batch.len_b[:, None]).astype(jnp.int32)


def _over_batch(batch: _Batch) -> _Batch:
    return jax.tree.map(lambda array: rules.constrain(array, ("batch",) + (None,) * (array.ndim - 1)), batch)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return (1.0 / (1.0 + np.exp(-logits.astype(np.float64)))).astype(np.float32)
