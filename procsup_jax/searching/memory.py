"""Will it fit: what a search holds in a device's memory; what is counted and how, `decode.memory` says."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import Mesh

from procsup_jax.decode import memory
from procsup_jax.decode.memory import Size
from procsup_jax.models.model import Model
from procsup_jax.searching.branch import Program
from procsup_jax.searching.feed import swap_size
from procsup_jax.searching.judge import READ_SLOTS


@dataclasses.dataclass(frozen=True)
class Plan:
    """Hold what decides the memory of a search.

    `init` makes its state from a program and a number of lanes; `prefix_lens` are the rooms for the policy's and the
    reward model's prompts; `num_nodes` prefixes of a lane are gone on from at a time, `is_tree`: gathered from a store.
    """

    policy: Model
    rm: Model
    program: Program
    init: Callable[[Program, int], Any]
    prefix_lens: tuple[int, int]
    num_nodes: int = 1
    is_tree: bool = False


def check(what: str, plan: Plan, lanes: int, mesh: Mesh | None) -> None:
    """Raise UserError, with numbers of lanes or a type of caches that would fit, when the plan does not.

    Where no number of lanes does, the candidates of a step are too many, and the error says how many fit.
    """
    sizes = [memory.size_of(each.config, lanes, None, mesh) for each in (plan.policy, plan.rm)]
    size = dataclasses.replace(sizes[0], head_shards=min(each.head_shards for each in sizes))

    def need_of(size: Size, num_candidates: int) -> int:
        sampling = dataclasses.replace(plan.program.sampling, num_samples=num_candidates)
        program = dataclasses.replace(plan.program, sampling=sampling)
        return need(dataclasses.replace(plan, program=program), size)

    candidates = memory.Number("num_candidates", plan.program.sampling.num_samples, need_of)
    memory.check(what, size, functools.partial(need, plan), mesh, [candidates])


def need(plan: Plan, size: Size) -> int:
    """Return the bytes that a search of this size needs on each device, beside the params given."""
    configs = [dataclasses.replace(each.config, cache_dtype=size.cache_dtype) for each in (plan.policy, plan.rm)]
    program = dataclasses.replace(plan.program, policy=configs[0], rm=configs[1])
    state = memory.state_bytes(jax.eval_shape(functools.partial(plan.init, program, size.lanes)), size)
    reads = [
        memory.prompt_bytes(config, swap_size(size.lanes), length, head)
        for config, head, length in zip(configs, (None, program.head), plan.prefix_lens, strict=True)
    ]
    spread = state + max(sum(reads), _round_bytes(plan, program, size.lanes * plan.num_nodes))
    params = sum(memory.decoder_bytes(each.config, each.params) for each in (plan.policy, plan.rm))
    return -(-spread // size.shards) + params


def _round_bytes(plan: Plan, program: Program, num_prefixes: int) -> int:
    """Return what one round takes beside the state: the candidates' caches, logits and, in a tree, the prefixes."""
    k, t = program.sampling.num_samples, program.sampling.max_new_tokens
    rows, caches = num_prefixes * k, 0
    of_policy = program.policy, None, t, program.max_tokens
    of_rm = program.rm, program.head, program.rm_step_tokens, program.rm_max_tokens
    for (config, head, step, solution), length in zip((of_policy, of_rm), plan.prefix_lens, strict=True):
        caches += memory.kv_bytes(config, rows, step, head)
        if plan.is_tree:
            caches += memory.kv_bytes(config, num_prefixes, length + solution, head)
        caches += memory.widened_bytes(config, rows, step)
    read = program.head.num_logit_rows(program.rm, num_prefixes * min(k, READ_SLOTS), program.rm_step_tokens)
    return caches + max(memory.logit_bytes(program.policy, rows), memory.logit_bytes(program.rm, read))
