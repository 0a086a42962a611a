"""Read given solutions: a reward model's probability of `correct` after each step, a policy's of each token."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from procsup_jax import grouping
from procsup_jax.decode import kept, memory
from procsup_jax.decode.batching import length_bucket
from procsup_jax.decode.rows import (
    Batch,
    Documents,
    Key,
    Part,
    batch_of,
    parts_of,
    shape_of,
)
from procsup_jax.errors import UserError
from procsup_jax.journal import NOTHING, Journal
from procsup_jax.models import api
from procsup_jax.models.api import Head, ModelConfig, Params
from procsup_jax.models.model import Model
from procsup_jax.parallel import rules, streams
from procsup_jax.progress import Progress
from procsup_jax.ranges import Count, check_value
from procsup_jax.text.encoding import EncodedSolution
from procsup_jax.types import Problem, Sample

# Log-probabilities are read in pieces of whole multiples of this, as far as they need pieces at all.
_PIECE = 64


class _Plan(NamedTuple):
    """Hold who reads, how many solutions at a time, the flag that sets their number, and where results are kept."""

    model: Model
    batch_size: int
    flag: str
    journal: Journal = NOTHING


def score_samples(
    model: Model,
    problems: Sequence[Problem],
    samples: Sequence[Sample],
    *,
    batch_size: int = 64,
    flag: str = "batch_size",
    journal: Journal = NOTHING,
) -> list[np.ndarray]:
    """Return for each sample the probability of `correct` after each of its steps, float32 [s].

    A probability is the sigmoid of `api.rm_logits` at the token that ends the step, as in training (see `Encoding`). A
    solution without steps (empty) gives an empty array. `batch_size` different solutions are read at a time (on a CPU
    by each core), with their problems' prompts; equal ones once, and a prompt once for all its solutions in a batch.
    What a sample gets does not depend on the others, their order, or `batch_size` (up to rounding). What is read at a
    time is kept in the `journal` when it is done, and not read again where it is kept there.

    Raises UserError when the model is no reward model, a sample's problem is absent, when prompt and solution exceed
    the model's max_len, and, calling it by the name of its `flag`, for a `batch_size` that does not fit into memory.
    """
    documents = _documents(model, problems, samples)
    program = functools.partial(step_logits, model.config, model.reward_head, model.params)
    probs = {
        key: _sigmoid(logits_s[: len(documents.solutions[key].ends)])
        for key, logits_s in _read(program, documents, _Plan(model, batch_size, flag, journal), "scoring")
    }
    return [probs[_key(model, sample)].copy() for sample in samples]


def step_logprobs(
    model: Model,
    problems: Sequence[Problem],
    samples: Sequence[Sample],
    *,
    batch_size: int = 64,
    flag: str = "batch_size",
) -> list[list[np.ndarray]]:
    """Return for each sample and step the log-probabilities (nats) of the step's tokens under a policy, float32 [t].

    The policy reads the zero-shot prompt; what ends a step belongs to it. It is the whole distribution at temperature
    1, and a token that the calculator would force counts like any other. Grouping, invariance and errors are those of
    `score_samples`.
    """
    documents = _documents(model, problems, samples)
    program = functools.partial(_token_logprobs, model.config, model.params)
    found: dict[Key, list[np.ndarray]] = {}
    for key, logprob_t in _read(program, documents, _Plan(model, batch_size, flag), "reading"):
        starts = [0, *(end + 1 for end in documents.solutions[key].ends)]
        found[key] = [logprob_t[start:end] for start, end in itertools.pairwise(starts)]
    return [[step.copy() for step in found[_key(model, sample)]] for sample in samples]


def _key(model: Model, sample: Sample) -> Key:
    return sample.problem_uid, model.encoding.content(sample)


def _documents(model: Model, problems: Sequence[Problem], samples: Sequence[Sample]) -> Documents:
    """Return each problem's prompt and each different solution once."""
    by_uid, documents = grouping.by_uid(problems), Documents({}, {})
    for sample in samples:
        uid, key = sample.problem_uid, _key(model, sample)
        question = grouping.problem_of(by_uid, sample).question
        if uid not in documents.prompts:
            documents.prompts[uid] = model.encoding.prompt_ids(question)
        if key not in documents.solutions:
            documents.solutions[key] = model.encoding.sample(sample)
            _check_len(model.config, sample, len(documents.prompts[uid]), len(documents.solutions[key].tokens))
    return documents


def _check_len(config: ModelConfig, sample: Sample, prompt_len: int, solution_len: int) -> None:
    if prompt_len + solution_len > config.max_len:
        raise UserError(
            f"sample {sample.sample} of problem {sample.problem_uid!r}: a prompt of {prompt_len} tokens and a solution "
            f"of {solution_len} exceed the model's max_len={config.max_len}: leave the sample out, or "
            "sample with a lower max_new_tokens"
        )


def _read(
    program: Callable[[Batch], jax.Array], documents: Documents, plan: _Plan, what: str
) -> Iterator[tuple[Key, np.ndarray]]:
    """Yield each solution's key and its part of what a program makes of batches, [b, r, ...]; empty ones unread."""
    mesh, batch_size = plan.model.mesh, plan.batch_size
    check_value(plan.flag, batch_size, Count, "score")
    _check_memory(documents, plan, what)
    yield from ((key, np.zeros(0, np.float32)) for key, each in documents.solutions.items() if not each.tokens)
    num_rows, num_each = _spread(batch_size, mesh)

    def read(part: Part) -> tuple[Part, list[np.ndarray]]:
        batch = batch_of(documents, part, num_rows)
        with streams.calling:
            found_br = program(batch)
        return part, [np.asarray(found_br)]

    name = kept.naming([plan.model], what, num_rows)

    def key(part: Part) -> str:
        def content(each: Key) -> tuple[list[int], EncodedSolution]:
            return documents.prompts[each[0]], documents.solutions[each]

        return name(part.shape, part.num_steps, [[content(each) for each in row] for row in part.rows])

    parts = list(parts_of(documents, num_rows, num_each))
    num_solutions = sum(len(row) for part in parts for row in part.rows)
    in_order = functools.partial(streams.in_order, read, number=streams.num_streams(mesh))
    with rules.use(mesh), Progress(what, num_solutions, "solution") as progress:
        for part, (found_br,) in plan.journal.through(parts, key, in_order):
            for keys, found_r in zip(part.rows, found_br, strict=False):
                yield from zip(keys, found_r, strict=False)
                progress.update(len(keys))


def _spread(batch_size: int, mesh: Mesh | None) -> tuple[int, int]:
    """Return over how many rows of tokens a batch spreads, one for each device of the batch axes, and what each has."""
    shards = rules.batch_shards(mesh)
    return shards, -(-batch_size // shards)


def _check_memory(documents: Documents, plan: _Plan, what: str) -> None:
    """Raise UserError where the largest shape that is read at a time does not fit."""
    lens = [len(each.tokens) for each in documents.solutions.values() if each.tokens]
    mesh = plan.model.mesh
    if not lens:
        return

    def need(batch_size: int) -> int:
        shape = shape_of(documents, length_bucket(max(lens), 64), _spread(batch_size, mesh)[1])
        return streams.num_streams(mesh) * memory.tree_row_bytes(plan.model.config, plan.model.head, shape)

    memory.check_number(what, plan.flag, plan.batch_size, need, mesh)


@functools.partial(jax.jit, static_argnums=(0, 1))
def step_logits(config: ModelConfig, head: Head, params: Params, batch: Batch) -> jax.Array:
    """Return the logit after each step of each solution of a batch, float32 [b, r, s], whole on every device."""
    batch = rules.constrain_tree(batch, api.state_axes(batch))
    logits_brt = api.rm_tree_logits(config, head, params, batch.tokens_bl, batch.trees)
    return rules.constrain(jnp.take_along_axis(logits_brt, batch.ends_brs, axis=2), (None, None, None))


@functools.partial(jax.jit, static_argnums=0)
def _token_logprobs(config: ModelConfig, params: Params, batch: Batch) -> jax.Array:
    """Return the log-probability of each token of each solution given those before it, [b, r, t]."""
    batch = rules.constrain_tree(batch, api.state_axes(batch))
    hidden_bld = api.tree_hidden(config, params, batch.tokens_bl, batch.trees)
    before_bld = api.take(hidden_bld, batch.trees.parent_bl)

    def of_tokens(before_btd: jax.Array, tokens_bt: jax.Array) -> jax.Array:
        logprob_btv = jax.nn.log_softmax(api.unembed(config, params, before_btd))
        return jnp.take_along_axis(logprob_btv, tokens_bt[..., None], axis=2)[..., 0]

    b, length = batch.tokens_bl.shape
    # A length without divisors would be read token by token; one that is read whole stays as it is.
    rest = -length % _PIECE if length * config.vocab_size > memory.READ_LOGITS else 0
    before_bld = jnp.pad(before_bld, ((0, 0), (0, rest), (0, 0)))
    tokens_bl = jnp.pad(batch.tokens_bl, ((0, 0), (0, rest)))
    found_cbt = api.map_chunks(of_tokens, config.vocab_size, before_bld, tokens_bl, max_logits=memory.READ_LOGITS)
    logprob_bl = jnp.moveaxis(found_cbt, 0, 1).reshape(b, -1)[:, :length]
    return rules.constrain(api.take(logprob_bl, batch.trees.branch_brt), (None, None, None))


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # 1 / (1 + inf) is the 0 that it should be
        return (1.0 / (1.0 + np.exp(-logits.astype(np.float64)))).astype(np.float32)
