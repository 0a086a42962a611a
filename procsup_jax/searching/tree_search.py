"""Search a tree of steps: a beam of paths, or PUCT with the reward model's values, within a budget of tokens."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from procsup_jax.decode.batching import length_bucket
from procsup_jax.decode.generate import with_cache_dtype
from procsup_jax.errors import UserError
from procsup_jax.free import bound
from procsup_jax.journal import NOTHING, Journal
from procsup_jax.models.model import Model
from procsup_jax.parallel.streams import called
from procsup_jax.searching import branch, driver, feed, forest, grow, memory
from procsup_jax.searching.anew import Reader
from procsup_jax.searching.feed import Task
from procsup_jax.searching.forest import TreeProgram
from procsup_jax.searching.settings import StepSearchSettings, TreeSearchSettings
from procsup_jax.types import Problem, Sample

__all__ = ["StepSearchSettings", "TreeSearchSettings", "TreeSearchedSample", "tree_search"]


@dataclasses.dataclass(frozen=True)
class TreeSearchedSample:
    """Hold a solution found by tree search and what it cost.

    `step_probs`: the reward model's probability of `correct` after each of its steps; `policy_tokens` were sampled and
    `rm_tokens` read by the reward model, the prompt included and equal candidates of one node once; `num_nodes` the
    tree holds, its root included, and `num_expansions` of them were expanded.
    """

    sample: Sample
    step_probs: tuple[float, ...]
    policy_tokens: int
    rm_tokens: int
    num_nodes: int
    num_expansions: int


def tree_search(
    policy: Model,
    rm: Model,
    problems: Sequence[Problem],
    settings: TreeSearchSettings,
    *,
    seed: int,
    examples: Sequence[Problem] = (),
    journal: Journal = NOTHING,
) -> list[TreeSearchedSample]:
    """Return for each problem the likeliest solution that the search found, by the reward model's last word.

    If it found none that ends, the likeliest of its longest paths (in steps). `examples` are as in `step_search`. The
    key of a token is fold_in(fold_in(node's key, candidate), index in the solution); the root's is the problem's, and
    that of a node's candidate k fold_in(fold_in(node's key, 2**31 - 1), k): a node has the same candidates however the
    search came to it, and results do not depend on lanes, order or mesh (up to rounding). What is found is kept in the
    `journal`, as by `step_search`.

    Raises UserError when the reward model has no head, a prompt leaves too little room in a model, or the reward
    model's prompt takes all of its budget.
    """
    steps = settings.steps
    policy, rm = (with_cache_dtype(model, steps.cache_dtype) for model in (policy, rm))
    tasks = feed.make_tasks(policy, rm, problems, steps.max_new_tokens, examples)
    for task in tasks:
        if len(task.rm_tokens) >= settings.max_rm_tokens:
            raise UserError(
                f"problem {task.uid!r}: the reward model's prompt of {len(task.rm_tokens)} tokens takes all of "
                f"max_rm_tokens={settings.max_rm_tokens}: raise it, or leave the problem out"
            )
    if not tasks:
        return []
    program = _program(policy, rm, settings, tasks)
    advance = functools.partial(called, grow.advance, program)
    if not program.steps.shares_tokens:
        reader = Reader(policy.encoding, rm.encoding, program.steps)
        advance = functools.partial(grow.advance_anew, program, reader)
    budgets = jnp.int32(settings.max_policy_tokens), jnp.int32(settings.max_rm_tokens)
    search: driver.Search[forest.Forest, TreeSearchedSample] = driver.Search(
        name=f"{settings.method} search",
        depends_on=bound(settings),
        plan=_plan(policy, rm, program),
        init=functools.partial(forest.init_forest, program),
        assign=lambda policy, rm, state, new: forest.assign(program, policy, rm, *budgets, state, new),
        advance=advance,
        results=functools.partial(forest.results, program),
        found=functools.partial(_searched, policy, settings),
    )
    return driver.run(search, policy, rm, tasks, steps, seed, journal)


def _program(policy: Model, rm: Model, settings: TreeSearchSettings, tasks: Sequence[Task]) -> TreeProgram:
    steps, is_beam = settings.steps, settings.method == "beam"
    most_expansions = settings.width * steps.max_steps if is_beam else settings.num_expansions
    num_nodes = 1 + (most_expansions if is_beam else most_expansions * steps.num_candidates)
    program = feed.make_program(policy, rm, steps)
    # Every token kept is one sampled, or read, so that the budgets bound what there must be room for.
    num_tokens = min(settings.max_policy_tokens, (num_nodes - 1) * program.sampling.max_new_tokens)
    rm_num_tokens = min(settings.max_rm_tokens, (num_nodes - 1) * program.rm_step_tokens)
    policy_len, rm_len = feed.prefix_buckets(tasks)
    return TreeProgram(
        steps=program,
        is_beam=is_beam,
        width=settings.width if is_beam else 1,
        num_expansions=most_expansions,
        exploration=0.0 if is_beam else settings.exploration,
        num_nodes=num_nodes,
        num_tokens=length_bucket(num_tokens),
        rm_num_tokens=length_bucket(num_tokens if program.shares_tokens else rm_num_tokens),
        policy_len=policy_len,
        rm_len=rm_len,
    )


def _plan(policy: Model, rm: Model, program: TreeProgram) -> memory.Plan:
    def init(steps: branch.Program, lanes: int) -> forest.Forest:
        return forest.init_forest(dataclasses.replace(program, steps=steps), lanes)

    lens = program.policy_len, program.rm_len
    return memory.Plan(policy, rm, program.steps, init, lens, num_nodes=program.width, is_tree=True)


def _searched(
    policy: Model, settings: TreeSearchSettings, task: Task, out_l: np.ndarray, length: np.ndarray, *others: np.ndarray
) -> TreeSearchedSample:
    num_steps, prob_s, policy_room, rm_room, num_nodes, num_expansions = others
    return TreeSearchedSample(
        sample=feed.to_sample(policy, task, out_l, length),
        step_probs=tuple(prob_s[:num_steps].tolist()),
        policy_tokens=settings.max_policy_tokens - int(policy_room),
        rm_tokens=settings.max_rm_tokens - int(rm_room),
        num_nodes=int(num_nodes),
        num_expansions=int(num_expansions),
    )
