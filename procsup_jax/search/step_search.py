"""Search step by step: K candidate next steps, keep the one a reward model likes best, go on (the paper's PRM-RL)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jax.sharding import Mesh

from procsup_jax.decode import feeder, generate
from procsup_jax.models.api import ModelConfig, Params
from procsup_jax.parallel import rules
from procsup_jax.progress import Progress
from procsup_jax.search import feed, greedy, memory
from procsup_jax.search.feed import Model, Task
from procsup_jax.search.greedy import Choose
from procsup_jax.search.settings import StepSearchSettings
from procsup_jax.text.vocab import Vocab
from procsup_jax.types import Problem, Sample

__all__ = ["Model", "SearchedSample", "StepSearchSettings", "step_search"]


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
    policy: Model | tuple[ModelConfig, Params],
    rm: Model | tuple[ModelConfig, Params],
    vocab: Vocab,
    problems: Sequence[Problem],
    settings: StepSearchSettings,
    *,
    seed: int,
    mesh: Mesh | None = None,
    examples: Sequence[Problem] = (),
    name: str | None = None,
    choose: Choose = greedy.highest,
) -> list[SearchedSample]:
    """Return for each problem the solution whose every step was the reward model's choice among candidates.

    `examples` are worked examples for the policy's prompt; the reward model reads the problem alone. `name` is written
    as the samples' policy. `choose` maps the candidates' probabilities and which of them are possible, both [n, k], to
    indices [n]; it is traced. The key of a token is generate's with the candidate for the sample, so that with one
    candidate the search writes what `generate` writes as sample 0, up to a blank line. Results do not depend on lanes,
    order or mesh (up to rounding).

    Raises UserError when the vocabulary does not fit a model or a prompt leaves too little room in one.
    """
    policy, rm = (Model(*each).with_cache_dtype(settings.cache_dtype) for each in (policy, rm))
    tasks = feed.make_tasks(policy.config, rm.config, vocab, problems, settings.max_new_tokens, examples)
    if not tasks:
        return []
    program = feed.make_program(policy.config, rm.config, vocab, settings)
    streams = feeder.split(settings.lanes, settings.num_candidates, len(problems), mesh)
    prefix_lens = feed.prefix_buckets(tasks)
    plan = memory.Plan(policy, rm, program, lambda p, lanes: greedy.init_search(p, lanes, *prefix_lens), prefix_lens)
    memory.check("step search", plan, streams.all_lanes, mesh)
    done: dict[int, SearchedSample] = {}
    with rules.use(mesh), Progress("step search", len(problems), "problem") as progress:
        params = [generate.decoder_params(*model) for model in (policy, rm)]
        tables = feed.make_tables(policy.config, vocab, settings.calculator)
        lanes: feeder.Feeder[greedy.Search, feed.Numbered] = feeder.Feeder(
            lanes=streams.lanes,
            swap_size=feed.swap_size(streams.lanes),
            init=lambda: greedy.init_search(program, streams.lanes, *prefix_lens),
            assign=lambda state, owners: greedy.assign(
                program, *params, state, feed.new_problems(owners, streams.lanes, seed)
            ),
            advance=lambda state, _: greedy.advance(program, choose, *params, tables, state),
            results=greedy.results,
        )
        for (place, task), arrays in lanes.run(feed.longest_first(tasks), streams.number):
            done[place] = _searched(vocab, name, task, *arrays)
            progress.update()
    return [done[i] for i in range(len(problems))]


def _searched(
    vocab: Vocab,
    name: str | None,
    task: Task,
    out_l: np.ndarray,
    length: np.ndarray,
    num_steps: np.ndarray,
    prob_s: np.ndarray,
    prob_sk: np.ndarray,
    spent: np.ndarray,
    read: np.ndarray,
) -> SearchedSample:
    candidates = tuple(tuple(p if p >= 0 else None for p in row) for row in prob_sk[:num_steps].tolist())
    return SearchedSample(
        sample=feed.to_sample(vocab, name, task, out_l, length),
        step_probs=tuple(prob_s[:num_steps].tolist()),
        candidate_probs=candidates,
        policy_tokens=int(spent),
        rm_tokens=int(read),
    )
