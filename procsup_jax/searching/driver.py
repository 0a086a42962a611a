"""Run a search over problems in lanes: what all ways of searching have in common on the host."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import jax

from procsup_jax.decode import feeder, generate, kept
from procsup_jax.decode.draw import VocabTables
from procsup_jax.errors import UserError
from procsup_jax.journal import Journal
from procsup_jax.models import api
from procsup_jax.models.api import DecoderParams
from procsup_jax.models.model import Model
from procsup_jax.parallel import rules
from procsup_jax.progress import Progress
from procsup_jax.searching import feed, memory
from procsup_jax.searching.branch import NewProblems
from procsup_jax.searching.feed import Task
from procsup_jax.searching.settings import StepSearchSettings

State = TypeVar("State")
Found = TypeVar("Found")


@dataclasses.dataclass(frozen=True)
class Search(Generic[State, Found]):
    """Hold one way of searching: compiled functions of a state of lanes, and what to make of their results.

    `name` is for messages; `depends_on`, for JSON, is what results depend on beside the models, tasks and the seed.
    `init` makes idle lanes, `assign` reads new problems into them, `advance` takes a round in every active one and
    returns which are active still, `results` returns arrays whose rows are the lanes'; `found` makes a result of a task
    and its row of each. `assign` and `advance` take both models' parameters.
    """

    name: str
    depends_on: Any
    plan: memory.Plan
    init: Callable[[int], State]
    assign: Callable[[DecoderParams, DecoderParams, State, NewProblems], State]
    advance: Callable[[DecoderParams, DecoderParams, VocabTables, State], tuple[State, jax.Array]]
    results: Callable[[State], tuple[jax.Array, ...]]
    found: Callable[..., Found]


def run(
    search: Search[Any, Found],
    policy: Model,
    rm: Model,
    tasks: Sequence[Task],
    steps: StepSearchSettings,
    seed: int,
    journal: Journal,
) -> list[Found]:
    """Return what the search finds for each task, in order; each is kept in the journal as it is done.

    Raises UserError when memory lacks, or the models lie on different meshes.
    """
    mesh = policy.mesh
    if rm.mesh != mesh:
        raise UserError(f"{policy.name} and {rm.name} lie on different meshes: load both onto the same one")
    streams = feeder.split(steps.lanes, steps.num_candidates, len(tasks), mesh)
    memory.check(search.name, search.plan, streams.all_lanes, mesh)
    done: dict[int, Found] = {}
    with rules.use(mesh), Progress(search.name, len(tasks), "problem") as progress:
        policy_params, rm_params = (api.unstack(model.config, model.params, donate=False) for model in (policy, rm))
        params = policy_params, rm_params
        tables = generate.vocab_tables(policy, steps.calculator)
        lanes: feeder.Feeder[Any, feed.Numbered] = feeder.Feeder(
            lanes=streams.lanes,
            swap_size=feed.swap_size(streams.lanes),
            init=lambda: search.init(streams.lanes),
            assign=lambda state, owners: search.assign(*params, state, feed.new_problems(owners, streams.lanes, seed)),
            advance=lambda state, _: search.advance(*params, tables, state),
            results=search.results,
        )

        name = kept.naming([policy, rm], search.name, search.depends_on, seed)
        run = functools.partial(lanes.run, number=streams.number)
        for (place, task), arrays in journal.through(feed.longest_first(tasks), lambda each: name(each.task), run):
            done[place] = search.found(task, *arrays)
            progress.update()
    return [done[i] for i in range(len(tasks))]
