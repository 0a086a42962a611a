import dataclasses
import functools

import pytest

from procsup_jax.decode import memory as decode_memory
from procsup_jax.errors import UserError
from procsup_jax.searching import feed, greedy, memory
from procsup_jax.searching.step_search import StepSearchSettings, step_search
from procsup_jax.searching.tree_search import TreeSearchSettings, tree_search
from procsup_jax.types import Problem

PROBLEMS = [Problem(f"p{i}", "How many?", "1") for i in range(4)]
STEPS = StepSearchSettings(
    num_candidates=3, max_steps=3, max_step_tokens=6, max_new_tokens=14, calculator=False, lanes=4
)


@pytest.fixture
def plan(policy, rm):
    program = feed.make_program(policy, rm, STEPS)
    return memory.Plan(policy, rm, program, lambda p, lanes: greedy.init_search(p, lanes, 144, 144), (144, 144))


def test_lanes_and_the_type_of_the_caches_decide(plan):
    size = decode_memory.size_of(plan.policy.config, 4, None, None)
    whole, half = memory.need(plan, size), memory.need(plan, dataclasses.replace(size, cache_dtype="bfloat16"))
    fixed = sum(decode_memory.decoder_bytes(each.config, each.params) for each in (plan.policy, plan.rm))
    assert memory.need(plan, dataclasses.replace(size, lanes=8)) - fixed == pytest.approx(2 * (whole - fixed), rel=0.01)
    assert half < whole


def test_a_tree_needs_its_gathered_prefixes_as_well(plan):
    size = decode_memory.size_of(plan.policy.config, 4, None, None)
    tree = dataclasses.replace(plan, num_nodes=4, is_tree=True)
    assert memory.need(tree, size) > 2 * memory.need(plan, size)


@pytest.mark.parametrize("settings", [STEPS, TreeSearchSettings(STEPS), TreeSearchSettings(STEPS, "puct")])
def test_a_search_that_does_not_fit_is_refused_with_the_lanes_that_would(settings, policy, rm, monkeypatch):
    search = step_search if settings is STEPS else tree_search
    run = functools.partial(search, policy, rm, PROBLEMS, settings, seed=0)
    needs, need = [], memory.need

    def remember(plan, size):
        needs.append(need(plan, size))
        return needs[-1]

    monkeypatch.setattr(memory, "need", remember)
    monkeypatch.setattr(decode_memory, "available", lambda mesh: 10)
    with pytest.raises(UserError, match=r"search with lanes=4 cache_dtype=float32 needs .*: no setting of these"):
        run()
    monkeypatch.setattr(decode_memory, "available", lambda mesh: needs[0] - 1)
    with pytest.raises(UserError, match=r"search with lanes=4 cache_dtype=float32 needs .*: set lanes=2 cache_dtype"):
        run()


def test_too_many_candidates_are_refused_with_the_number_that_would_fit(policy, rm):
    many = dataclasses.replace(STEPS, num_candidates=10**8)
    with pytest.raises(UserError, match=r"search with num_candidates=100000000 needs .*: set num_candidates=\d+ \("):
        step_search(policy, rm, PROBLEMS, many, seed=0)
