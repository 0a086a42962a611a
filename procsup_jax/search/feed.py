"""What every search does on the host: prompts to tokens, problems to what lanes take, results to samples."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from procsup_jax.data.examples import prompt_ids
from procsup_jax.decode import generate
from procsup_jax.decode.memory import with_cache_dtype
from procsup_jax.errors import UserError
from procsup_jax.models.api import ModelConfig, Params
from procsup_jax.search.branch import NewProblems, Program, Tables
from procsup_jax.search.settings import StepSearchSettings
from procsup_jax.text import answers
from procsup_jax.text.vocab import Vocab
from procsup_jax.types import Problem, Sample


class Model(NamedTuple):
    """Hold a model: its config and its params."""

    config: ModelConfig
    params: Params

    def with_cache_dtype(self, cache_dtype: str) -> Model:
        """Return the model with caches of this type; "" leaves it as it is."""
        return Model(with_cache_dtype(self.config, cache_dtype), self.params)


class Task(NamedTuple):
    """Hold a problem's uid and both models' prompts."""

    uid: str
    policy_tokens: list[int]
    rm_tokens: list[int]


def make_tasks(
    policy: ModelConfig,
    rm: ModelConfig,
    vocab: Vocab,
    problems: Sequence[Problem],
    max_new_tokens: int,
    examples: Sequence[Problem],
) -> list[Task]:
    """Return the problems' prompts; the policy's shows worked examples, the reward model reads the problem alone.

    Raises UserError when the vocabulary does not fit a model or a prompt leaves too little room in one.
    """
    for config in (policy, rm):
        generate.check_vocab(config, vocab)
    return [_task(policy, rm, vocab, problem, max_new_tokens, examples) for problem in problems]


def _task(
    policy: ModelConfig,
    rm: ModelConfig,
    vocab: Vocab,
    problem: Problem,
    max_new_tokens: int,
    examples: Sequence[Problem],
) -> Task:
    alone, shown = prompt_ids(vocab, problem.question), prompt_ids(vocab, problem.question, examples)
    for who, config, tokens in (("policy", policy, shown), ("reward model", rm, alone)):
        total = len(tokens) + max_new_tokens
        if total > config.max_len:
            raise UserError(
                f"problem {problem.uid!r}: a prompt of {len(tokens)} tokens and max_new_tokens="
                f"{max_new_tokens} make {total}, more than the {who}'s max_len={config.max_len}: "
                "lower max_new_tokens, give fewer worked examples, or leave the problem out"
            )
    return Task(problem.uid, shown, alone)


def make_program(policy: ModelConfig, rm: ModelConfig, vocab: Vocab, settings: StepSearchSettings) -> Program:
    """Return what is static about sampling and scoring steps; equal inputs share compiled programs."""
    sampling = generate.make_program(policy, vocab, settings.sampling())
    return Program(
        policy=policy,
        rm=rm,
        sampling=settings.sampling(),
        max_steps=settings.max_steps,
        max_tokens=settings.max_new_tokens,
        eos_id=sampling.eos_id,
        sep_id=sampling.sep_id,
        marker_id=sampling.marker_id,
        correct_id=vocab.correct_id,
        incorrect_id=vocab.incorrect_id,
    )


def make_tables(config: ModelConfig, vocab: Vocab, with_calculator: bool) -> Tables:
    """Return a vocabulary's tables."""
    blank_v = np.ones(config.vocab_size, bool)
    blank_v[: vocab.size] = [not data.strip() for data in vocab.token_bytes()]
    return Tables(generate.vocab_tables(config, vocab, with_calculator), jnp.asarray(blank_v))


def prefix_buckets(tasks: Iterable[Task]) -> tuple[int, int]:
    """Return room for the tasks' prompts: the policy's, which are cached without their last token, and the RM's."""
    lens = [(len(task.policy_tokens) - 1, len(task.rm_tokens)) for task in tasks]
    policy_len, rm_len = (max(each) for each in zip(*lens, strict=True))
    return generate.length_bucket(policy_len), generate.length_bucket(rm_len)


class Numbered(NamedTuple):
    """Hold a task and its place among the problems."""

    place: int
    task: Task


def longest_first(tasks: Sequence[Task]) -> list[Numbered]:
    """Return the tasks with their places, so that neighbours in length are read together."""
    return sorted(itertools.starmap(Numbered, enumerate(tasks)), key=lambda each: -len(each.task.policy_tokens))


def swap_size(lanes: int) -> int:
    """Return how many problems are put into lanes at a time."""
    return max(1, lanes // 4)


def new_problems(owners: Mapping[int, Numbered], lanes: int, seed: int) -> NewProblems:
    """Return the problems to put into their lanes, padded to `swap_size`, so that few shapes are compiled."""
    tasks = {lane: each.task for lane, each in owners.items()}
    size, lens = swap_size(lanes), prefix_buckets(tasks.values())
    policy_tokens, policy_len = generate.pad_rows([t.policy_tokens[:-1] for t in tasks.values()], size, lens[0])
    rm_tokens, rm_len = generate.pad_rows([t.rm_tokens for t in tasks.values()], size, lens[1])
    row_r, start_r, key_r2 = np.full(size, lanes), np.zeros(size, np.int32), np.zeros((size, 2), np.uint32)
    for i, (lane, task) in enumerate(tasks.items()):
        row_r[i], start_r[i], key_r2[i] = lane, task.policy_tokens[-1], generate.problem_key(seed, task.uid)
    arrays = (row_r, policy_tokens, policy_len, start_r, rm_tokens, rm_len, key_r2)
    return NewProblems(*jax.device_put(arrays))


def to_sample(vocab: Vocab, name: str | None, task: Task, out_l: np.ndarray, length: np.ndarray) -> Sample:
    """Return the record of a task's solution, `length` tokens with the one that ended it; `name` is its policy's."""
    solution = vocab.decode(out_l[: max(int(length) - 1, 0)].tolist())
    return Sample(task.uid, 0, solution, answers.extract_answer(solution), tokens=int(length), policy=name)
