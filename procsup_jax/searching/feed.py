"""What every search does on the host: prompts to tokens, problems to what lanes take, results to samples."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np

from procsup_jax.decode import automaton, generate
from procsup_jax.decode.batching import length_bucket, pad_rows, problem_key
from procsup_jax.errors import UserError
from procsup_jax.models.model import Model
from procsup_jax.searching.branch import NewProblems, Program
from procsup_jax.searching.settings import StepSearchSettings
from procsup_jax.text import answers
from procsup_jax.types import Problem, Sample

# What the policy writes may be so many times as many tokens of another vocabulary; longer steps can't be chosen.
_ANEW = 4


class Task(NamedTuple):
    """Hold a problem's uid and both models' prompts."""

    uid: str
    policy_tokens: list[int]
    rm_tokens: list[int]


def make_tasks(
    policy: Model, rm: Model, problems: Sequence[Problem], max_new_tokens: int, examples: Sequence[Problem]
) -> list[Task]:
    """Return the problems' prompts; the policy's shows worked examples, the reward model reads the problem alone.

    Raises UserError when a prompt leaves too little room in a model.
    """
    tasks = [
        Task(p.uid, policy.encoding.prompt_ids(p.question, examples), rm.encoding.prompt_ids(p.question))
        for p in problems
    ]
    # The reward model may read an end token behind all that was written.
    rooms = max_new_tokens, max_new_tokens + _mixes(policy)
    for task in tasks:
        models = ("policy", policy, task.policy_tokens), ("reward model", rm, task.rm_tokens)
        for (who, model, tokens), room in zip(models, rooms, strict=True):
            if len(tokens) + room > model.config.max_len:
                raise UserError(
                    f"problem {task.uid!r}: a prompt of {len(tokens)} tokens and max_new_tokens={max_new_tokens} need "
                    f"{len(tokens) + room} places, more than the {who}'s max_len={model.config.max_len}: lower "
                    "max_new_tokens, give fewer worked examples, or leave the problem out"
                )
    return tasks


def _mixes(policy: Model) -> bool:
    """Say whether a token may hold the end of a step's content and the separator behind it."""
    return automaton.can_mix(generate.vocab_tables(policy, False).automaton, policy.encoding.separator)


def make_program(policy: Model, rm: Model, settings: StepSearchSettings) -> Program:
    """Return what is static about sampling and scoring steps; equal inputs share compiled programs.

    Raises UserError when the reward model is none, or a step has no room for a separator.
    """
    encoding, sampling = policy.encoding, settings.sampling()
    if sampling.max_new_tokens < len(encoding.separator_ids):
        raise UserError(
            f"step search max_step_tokens={settings.max_step_tokens}, max_new_tokens={settings.max_new_tokens}: "
            f"expected at least {len(encoding.separator_ids)}, the tokens of a separator"
        )
    mixes, shares_tokens = _mixes(policy), encoding.same_tokens(rm.encoding)
    room = settings.max_new_tokens if shares_tokens else _ANEW * settings.max_new_tokens
    return Program(
        policy=policy.config,
        rm=rm.config,
        head=rm.reward_head,
        sampling=sampling,
        max_steps=settings.max_steps,
        max_tokens=settings.max_new_tokens,
        rm_step_tokens=sampling.max_new_tokens + mixes if shares_tokens else _ANEW * sampling.max_new_tokens,
        rm_max_tokens=min(room, rm.config.max_len),
        shares_tokens=shares_tokens,
        separator_ids=encoding.separator_ids,
        separator_len=len(encoding.separator),
        end_id=rm.encoding.end_id,
        mixes=mixes,
        spills=settings.calculator and automaton.can_spill(encoding.token_bytes, encoding.separator, b"<"),
    )


def prefix_buckets(tasks: Iterable[Task]) -> tuple[int, int]:
    """Return room for the tasks' prompts: the policy's, which are cached without their last token, and the RM's."""
    lens = [(len(task.policy_tokens) - 1, len(task.rm_tokens)) for task in tasks]
    policy_len, rm_len = (max(each) for each in zip(*lens, strict=True))
    return length_bucket(policy_len), length_bucket(rm_len)


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
    policy_tokens, policy_len = pad_rows([t.policy_tokens[:-1] for t in tasks.values()], size, lens[0])
    rm_tokens, rm_len = pad_rows([t.rm_tokens for t in tasks.values()], size, lens[1])
    row_r, start_r, key_r2 = np.full(size, lanes), np.zeros(size, np.int32), np.zeros((size, 2), np.uint32)
    for i, (lane, task) in enumerate(tasks.items()):
        row_r[i], start_r[i], key_r2[i] = lane, task.policy_tokens[-1], problem_key(seed, task.uid)
    arrays = (row_r, policy_tokens, policy_len, start_r, rm_tokens, rm_len, key_r2)
    return NewProblems(*jax.device_put(arrays))


def to_sample(policy: Model, task: Task, out_l: np.ndarray, length: np.ndarray) -> Sample:
    """Return the record of a task's solution, `length` tokens with the one that ended it."""
    solution, written = policy.encoding.written(out_l[: int(length)].tolist())
    return Sample(
        task.uid, 0, solution, answers.extract_answer(solution), tokens=int(length), policy=policy.name,
        token_ids=written, tokenizer=None if written is None else policy.tokenizer.digest,
    )  # fmt: skip
