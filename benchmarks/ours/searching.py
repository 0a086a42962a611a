"""Step search as we do it, and the same search by re-reading: same models, prompt, keys, candidates and choices."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.contender import Made
from benchmarks.ours import model
from benchmarks.workload import Task
from procsup_jax.decode import automaton, feeder, generate
from procsup_jax.decode.batching import problem_key
from procsup_jax.decode.draw import VocabTables
from procsup_jax.models import api
from procsup_jax.models.api import DecoderParams
from procsup_jax.models.model import Model
from procsup_jax.parallel.streams import called
from procsup_jax.searching import branch, feed, greedy
from procsup_jax.searching.branch import Prefixes, Program, Starts
from procsup_jax.searching.judge import READ_SLOTS as ROWS
from procsup_jax.searching.settings import StepSearchSettings

UID = "p0"


def make(task: Task, cached: bool = True, each: bool = False, calculator: bool = True) -> Made:
    """Return the search of one problem: from cached prefixes, or reading prompt and steps anew at every step.

    Re-reading, the policy reads them once for all candidates, or with `each` for each of them, as libraries' `generate`
    does with several samples of one prompt.
    """
    policy = model.load(task)
    rm = model.as_reward_model(policy)
    settings = StepSearchSettings(
        num_candidates=task.num_samples, max_steps=task.num_steps, max_step_tokens=task.step_tokens,
        max_new_tokens=task.num_steps * task.step_tokens, lanes=1, calculator=calculator,
    )  # fmt: skip
    program = feed.make_program(policy, rm, settings)
    tables = _without_ends(policy, generate.vocab_tables(policy, settings.calculator))
    dparams = api.unstack(policy.config, policy.params, donate=False)
    reads = task.num_samples if each else 1
    visible_v = np.array([bool(data.strip()) for data in policy.encoding.token_bytes])
    search = (
        _cached if cached else functools.partial(_reread, params=policy.params, policy_reads=reads, visible_v=visible_v)
    )
    seed = 0

    def run() -> dict[str, int]:
        nonlocal seed
        seed += 1
        tokens, read = search(task, program, tables, dparams, seed)
        if len(tokens) != task.num_steps * task.step_tokens:
            raise AssertionError(f"the search wrote {len(tokens)} tokens")
        return {"rm_tokens": read, "solution_crc32": zlib.crc32(np.asarray(tokens, np.int32).tobytes())}

    return Made(run, task.num_steps, "steps", model.versions(), model.THREADS)


def _without_ends(policy: Model, tables: VocabTables) -> VocabTables:
    """Forbid what ends a step or a solution, so that each step runs into its limit."""
    encoding, marker = policy.encoding, policy.layout.answer_marker.encode()
    holding = [i for i, data in enumerate(encoding.token_bytes) if encoding.separator in data or marker in data]
    ends = [*encoding.end_ids, *encoding.separator_ids, *holding]
    return tables._replace(allowed_v=tables.allowed_v.at[jnp.array(ends)].set(False))


def _cached(
    task: Task, program: Program, tables: VocabTables, dparams: DecoderParams, seed: int
) -> tuple[list[int], int]:
    """Return the solution's tokens and how many the reward model read."""
    tasks = [feed.Task(UID, task.prompt(0), task.prompt(0))]
    lens = feed.prefix_buckets(tasks)
    lanes: feeder.Feeder[greedy.Search, feed.Numbered] = feeder.Feeder(
        lanes=1,
        swap_size=1,
        init=lambda: greedy.init_search(program, 1, *lens),
        assign=lambda state, owners: greedy.assign(
            program, dparams, dparams, state, feed.new_problems(owners, 1, seed)
        ),
        advance=lambda state, _: called(greedy.advance, program, greedy.highest, dparams, dparams, tables, state),
        results=greedy.results,
    )
    (_, (out_l, length, *_, read)), *_ = lanes.run(feed.longest_first(tasks))
    return out_l[: int(length)].tolist(), int(read)


def _reread(
    task: Task, program: Program, tables: VocabTables, dparams: DecoderParams, seed: int, *,
    params: api.Params, policy_reads: int, visible_v: np.ndarray,
) -> tuple[list[int], int]:  # fmt: skip
    """Return what `_cached` does, with no keys or values kept from one step to the next."""
    tokens, read, key_n2 = task.prompt(0), 0, problem_key(seed, UID)[None]
    room = task.prompt_len + task.num_steps * task.step_tokens
    for step in range(task.num_steps):
        done = step * task.step_tokens
        padded = jnp.array([tokens + [0] * (room - len(tokens))])
        # The first reading is `_sample`'s own.
        for start in range(1, policy_reads, ROWS):
            copies = jnp.tile(padded, (min(ROWS, policy_reads - start), 1))
            jax.block_until_ready(_prefill(program, dparams, copies, jnp.int32(len(tokens) - 1)))
        found_nkt = _sample(program, dparams, tables, padded, jnp.array(key_n2), jnp.int32(done))
        candidates = np.asarray(found_nkt[0])
        distinct = candidates[np.sort(np.unique(candidates, axis=0, return_index=True)[1])]
        probs = _read(program, params, tokens, distinct)
        possible = visible_v[distinct].any(-1)
        read += len(distinct) * (len(tokens) + task.step_tokens)
        tokens = tokens + distinct[np.where(possible, probs, -1.0).argmax()].tolist()
    return tokens[task.prompt_len :], read


@functools.partial(jax.jit, static_argnums=0)
def _prefill(program: Program, policy: DecoderParams, tokens_nl: jax.Array, length: jax.Array) -> Any:
    return api.prefill(program.policy, policy, tokens_nl, jnp.full(len(tokens_nl), length))


@functools.partial(jax.jit, static_argnums=0)
def _sample(
    program: Program,
    policy: DecoderParams,
    tables: VocabTables,
    tokens_nl: jax.Array,
    key_n2: jax.Array,
    done: jax.Array,
) -> jax.Array:
    """Return candidates after `done` tokens of a solution; the row is padded, so that one program serves all steps."""
    len_n = (tokens_nl.shape[1] - program.max_tokens + done - 1)[None]
    _, kv = api.prefill(program.policy, policy, tokens_nl, len_n)
    starts = Starts(
        Prefixes(kv, len_n), tokens_nl[0, len_n], automaton.init_state((1,)), key_n2, done[None], jnp.array([True])
    )
    return branch.sample_steps(program, policy, tables, starts).tokens_nkt


def _read(program: Program, params: api.Params, before: list[int], steps_kt: np.ndarray) -> np.ndarray:
    """Return the probability of each candidate, reading it and all that stands before it."""
    padded = np.concatenate([steps_kt, np.repeat(steps_kt[:1], -len(steps_kt) % ROWS, 0)])
    documents = np.concatenate([np.tile(before, (len(padded), 1)), padded], 1)
    program_of = _reader(program)
    parts = [program_of(params, jnp.asarray(documents[i : i + ROWS])) for i in range(0, len(documents), ROWS)]
    return np.concatenate([np.asarray(part) for part in parts])[: len(steps_kt)]


@functools.cache
def _reader(program: Program) -> Callable[[Any, jax.Array], jax.Array]:
    def read(params: api.Params, tokens_bl: jax.Array) -> jax.Array:
        positions = jnp.broadcast_to(jnp.arange(tokens_bl.shape[1]), tokens_bl.shape)
        ones = jnp.ones_like(tokens_bl)
        return jax.nn.sigmoid(api.rm_logits(program.rm, program.head, params, tokens_bl, positions, ones, ones)[:, -1])

    return jax.jit(read)
