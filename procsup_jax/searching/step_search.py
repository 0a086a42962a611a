"""Search step by step: K candidate next steps, keep the one a reward model likes best, go on (the paper's PRM-RL)."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from procsup_jax.decode.generate import with_cache_dtype
from procsup_jax.free import bound
from procsup_jax.journal import NOTHING, Journal
from procsup_jax.models.model import Model
from procsup_jax.parallel.streams import called
from procsup_jax.searching import driver, feed, greedy, memory
from procsup_jax.searching.anew import Reader
from procsup_jax.searching.feed import Task
from procsup_jax.searching.greedy import Choose
from procsup_jax.searching.settings import StepSearchSettings
from procsup_jax.types import Problem, Sample

__all__ = ["SearchedSample", "StepSearchSettings", "step_search"]


@dataclasses.dataclass(frozen=True)
class SearchedSample:
    """Hold a solution found by search and what it cost.

    `step_probs`: the reward model's probability of `correct` after each of its steps; `candidate_probs`: those of all
    candidates considered at each step, None for a blank one, which is never taken; `policy_tokens` were sampled and
    `rm_tokens` read by the reward model, the prompt included and equal candidates of one step once.
    """

    sample: Sample
    step_probs: tuple[float, ...]
    candidate_probs: tuple[tuple[float | None, ...], ...]
    policy_tokens: int
    rm_tokens: int


def step_search(
    policy: Model,
    rm: Model,
    problems: Sequence[Problem],
    settings: StepSearchSettings,
    *,
    seed: int,
    examples: Sequence[Problem] = (),
    choose: Choose = greedy.highest,
    journal: Journal = NOTHING,
) -> list[SearchedSample]:
    """Return for each problem the solution whose every step was the reward model's choice among candidates.

    `examples` are worked examples for the policy's prompt; the reward model reads the problem alone. The policy's name
    is the samples' `policy`. `choose` maps the candidates' probabilities and which of them are possible, both [n, k],
    to indices [n]; it is traced. The key of a token is generate's with the candidate for the sample, so that with one
    candidate the search writes what `generate` writes as sample 0, up to a blank line. Results do not depend on lanes,
    order or mesh (up to rounding). A reward model of another tokenizer or layout reads the steps' text in its own
    tokens (see `anew`). What is found is kept in the `journal`, and what is kept there is not searched again.

    Raises UserError when the reward model has no head or a prompt leaves too little room in a model.
    """
    policy, rm = (with_cache_dtype(model, settings.cache_dtype) for model in (policy, rm))
    tasks = feed.make_tasks(policy, rm, problems, settings.max_new_tokens, examples)
    if not tasks:
        return []
    program, lens = feed.make_program(policy, rm, settings), feed.prefix_buckets(tasks)
    advance = functools.partial(called, greedy.advance, program, choose)
    if not program.shares_tokens:
        advance = functools.partial(greedy.advance_anew, Reader(policy.encoding, rm.encoding, program), choose)
    search: driver.Search[greedy.Search, SearchedSample] = driver.Search(
        name="step search",
        depends_on=(bound(settings), getattr(choose, "__qualname__", repr(choose))),
        plan=memory.Plan(policy, rm, program, lambda p, lanes: greedy.init_search(p, lanes, *lens), lens),
        init=lambda lanes: greedy.init_search(program, lanes, *lens),
        assign=functools.partial(greedy.assign, program),
        advance=advance,
        results=greedy.results,
        found=functools.partial(_searched, policy),
    )
    return driver.run(search, policy, rm, tasks, settings, seed, journal)


def _searched(policy: Model, task: Task, out_l: np.ndarray, length: np.ndarray, *others: np.ndarray) -> SearchedSample:
    num_steps, prob_s, prob_sk, spent, read = others
    candidates = tuple(tuple(p if p >= 0 else None for p in row) for row in prob_sk[:num_steps].tolist())
    return SearchedSample(
        sample=feed.to_sample(policy, task, out_l, length),
        step_probs=tuple(prob_s[:num_steps].tolist()),
        candidate_probs=candidates,
        policy_tokens=int(spent),
        rm_tokens=int(read),
    )
