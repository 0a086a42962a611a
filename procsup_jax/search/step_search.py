"""Search step by step: K candidate next steps, keep the one a reward model likes best, go on (the paper's PRM-RL)."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from procsup_jax.data.examples import prompt_ids
from procsup_jax.decode import generate
from procsup_jax.decode.settings import DecodeSettings
from procsup_jax.errors import UserError
from procsup_jax.models.api import DecoderParams, ModelConfig, Params
from procsup_jax.parallel import rules
from procsup_jax.progress import Progress
from procsup_jax.search import branch
from procsup_jax.search.branch import Choose, NewProblems, Program, Tables
from procsup_jax.text import answers
from procsup_jax.text.vocab import Vocab
from procsup_jax.types import Problem, Sample


class Model(NamedTuple):
    """Hold a model: its config and its params."""

    config: ModelConfig
    params: Params


@dataclasses.dataclass(frozen=True)
class StepSearchSettings:
    """Set how the search goes.

    `num_candidates` next steps are sampled (the paper's K) at `temperature`, `top_k`, `top_p`; a step of
    `max_step_tokens` is cut there by a separator. The search ends with the step that holds the final answer or ends in
    eos, after `max_steps` (the paper: 15), or when `max_new_tokens` of the solution are written. `lanes` problems are
    searched at a time, which never changes a result.
    """

    num_candidates: int = 16
    max_steps: int = 15
    max_step_tokens: int = 64
    max_new_tokens: int = 256
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    calculator: bool = True
    lanes: int = 8

    def __post_init__(self) -> None:
        for name in ("num_candidates", "max_steps", "max_step_tokens", "max_new_tokens", "lanes"):
            if getattr(self, name) < 1:
                raise UserError(f"step search {name}={getattr(self, name)}: expected at least 1")
        self.sampling()

    def sampling(self) -> DecodeSettings:
        """Return the settings of the sampling of one step."""
        return DecodeSettings(
            temperature=self.temperature,
            top_k=self.top_k,
            top_p=self.top_p,
            num_samples=self.num_candidates,
            max_new_tokens=min(self.max_step_tokens, self.max_new_tokens),
            stop="step",
            calculator=self.calculator,
        )


@dataclasses.dataclass(frozen=True)
class SearchedSample:
    """Hold a solution found by search and what it cost.

    `step_probs`: the reward model's probability of `correct` after each of its steps; `candidate_probs`: those of all
    candidates considered at each step, None for a blank one, which is never taken; `policy_tokens` were sampled and
    `rm_tokens` read by the reward model, the prompt included.
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
    choose: Choose = branch.highest,
) -> list[SearchedSample]:
    """Return for each problem the solution whose every step was the reward model's choice among candidates.

    `examples` are worked examples for the policy's prompt; the reward model reads the problem alone. `name` is written
    as the samples' policy. `choose` maps the candidates' probabilities and which of them are possible, both [n, k], to
    indices [n]; it is traced. The key of a token is generate's with the candidate for the sample, so that with one
    candidate the search writes what `generate` writes as sample 0, up to a blank line. Results do not depend on lanes,
    order or mesh (up to rounding).

    Raises UserError when the vocabulary does not fit a model or a prompt leaves too little room in one.
    """
    policy, rm = Model(*policy), Model(*rm)
    tasks = [_task(policy.config, rm.config, vocab, problem, settings, examples) for problem in problems]
    for model in (policy, rm):
        generate.check_vocab(model.config, vocab)
    program = _program(policy.config, rm.config, vocab, settings, choose)
    done: dict[int, SearchedSample] = {}
    with rules.use(mesh), Progress("step search", len(problems), "problem") as progress:
        searcher = _Searcher(
            program=program,
            policy=generate.decoder_params(policy.config, policy.params),
            rm=generate.decoder_params(rm.config, rm.params),
            tables=_tables(policy.config, vocab, settings.calculator),
            vocab=vocab,
            seed=seed,
            name=name,
        )
        lanes = generate.num_lanes(settings.lanes, len(problems), mesh)
        by_length = sorted(enumerate(tasks), key=lambda each: -len(each[1].policy_tokens))
        for index, found in searcher.run(by_length, lanes):
            done[index] = found
            progress.update()
    return [done[i] for i in range(len(problems))]


class _Task(NamedTuple):
    """Hold a problem's uid and both models' prompts."""

    uid: str
    policy_tokens: list[int]
    rm_tokens: list[int]


def _task(
    policy: ModelConfig,
    rm: ModelConfig,
    vocab: Vocab,
    problem: Problem,
    settings: StepSearchSettings,
    examples: Sequence[Problem],
) -> _Task:
    alone, shown = prompt_ids(vocab, problem.question), prompt_ids(vocab, problem.question, examples)
    for who, config, tokens in (("policy", policy, shown), ("reward model", rm, alone)):
        total = len(tokens) + settings.max_new_tokens
        if total > config.max_len:
            raise UserError(
                f"problem {problem.uid!r}: a prompt of {len(tokens)} tokens and max_new_tokens="
                f"{settings.max_new_tokens} make {total}, more than the {who}'s max_len={config.max_len}: "
                "lower max_new_tokens, give fewer worked examples, or leave the problem out"
            )
    return _Task(problem.uid, shown, alone)


def _program(
    policy: ModelConfig, rm: ModelConfig, vocab: Vocab, settings: StepSearchSettings, choose: Choose
) -> Program:
    sampling = generate.make_program(policy, vocab, settings.sampling())
    return Program(
        policy=policy,
        rm=rm,
        sampling=settings.sampling(),
        choose=choose,
        max_steps=settings.max_steps,
        max_tokens=settings.max_new_tokens,
        eos_id=sampling.eos_id,
        sep_id=sampling.sep_id,
        marker_id=sampling.marker_id,
        correct_id=vocab.correct_id,
        incorrect_id=vocab.incorrect_id,
    )


def _tables(config: ModelConfig, vocab: Vocab, with_calculator: bool) -> Tables:
    blank_v = np.ones(config.vocab_size, bool)
    blank_v[: vocab.size] = [not data.strip() for data in vocab.token_bytes()]
    return Tables(generate.vocab_tables(config, vocab, with_calculator), jnp.asarray(blank_v))


def _prefix_buckets(tasks: Iterable[_Task]) -> tuple[int, int]:
    """Return room for the tasks' prompts: the policy's, which are cached without their last token, and the RM's."""
    lens = [(len(task.policy_tokens) - 1, len(task.rm_tokens)) for task in tasks]
    policy_len, rm_len = (max(each) for each in zip(*lens, strict=True))
    return generate.length_bucket(policy_len), generate.length_bucket(rm_len)


@dataclasses.dataclass(frozen=True)
class _Searcher:
    """Feed problems to the lanes and collect what was found."""

    program: Program
    policy: DecoderParams
    rm: DecoderParams
    tables: Tables
    vocab: Vocab
    seed: int
    name: str | None

    def run(self, tasks: Sequence[tuple[int, _Task]], lanes: int) -> Iterator[tuple[int, SearchedSample]]:
        """Yield each (index, task)'s index and result as they come in."""
        if not tasks:
            return
        waiting = collections.deque(tasks)
        owners: dict[int, tuple[int, _Task]] = {}
        swap_size = max(1, lanes // 4)
        state = branch.init_search(self.program, lanes, *_prefix_buckets(task for _, task in tasks))
        while waiting or owners:
            free = [lane for lane in range(lanes) if lane not in owners]
            while waiting and free and (len(free) >= swap_size or not owners):
                rows, free = free[:swap_size], free[swap_size:]
                new = {lane: waiting.popleft() for lane in rows[: len(waiting)]}
                owners |= new
                problems = self._new_problems({lane: task for lane, (_, task) in new.items()}, swap_size, lanes)
                state = branch.assign(self.program, self.policy, self.rm, state, problems)
            state, active_n = branch.advance(self.program, self.policy, self.rm, self.tables, state)
            finished = [lane for lane, active in enumerate(np.asarray(active_n)) if not active and lane in owners]
            if finished:
                arrays = [np.asarray(array) for array in branch.results(state)]
                for lane in finished:
                    index, task = owners.pop(lane)
                    yield index, self._searched(task, *(array[lane] for array in arrays))

    def _new_problems(self, tasks: dict[int, _Task], size: int, lanes: int) -> NewProblems:
        lens = _prefix_buckets(tasks.values())
        policy_tokens, policy_len = generate.pad_rows([t.policy_tokens[:-1] for t in tasks.values()], size, lens[0])
        rm_tokens, rm_len = generate.pad_rows([t.rm_tokens for t in tasks.values()], size, lens[1])
        row_r, start_r, key_r2 = np.full(size, lanes), np.zeros(size, np.int32), np.zeros((size, 2), np.uint32)
        for i, (lane, task) in enumerate(tasks.items()):
            row_r[i], start_r[i], key_r2[i] = lane, task.policy_tokens[-1], generate.problem_key(self.seed, task.uid)
        arrays = (row_r, policy_tokens, policy_len, start_r, rm_tokens, rm_len, key_r2)
        return NewProblems(*map(jnp.asarray, arrays))

    def _searched(
        self,
        task: _Task,
        out_l: np.ndarray,
        length: np.ndarray,
        num_steps: np.ndarray,
        prob_s: np.ndarray,
        prob_sk: np.ndarray,
        spent: np.ndarray,
    ) -> SearchedSample:
        tokens = out_l[:length].tolist()
        solution = self.vocab.decode(tokens[:-1])
        candidates = tuple(tuple(p if p >= 0 else None for p in row) for row in prob_sk[:num_steps].tolist())
        answer = answers.extract_answer(solution)
        return SearchedSample(
            sample=Sample(task.uid, 0, solution, answer, tokens=len(tokens), policy=self.name),
            step_probs=tuple(prob_s[:num_steps].tolist()),
            candidate_probs=candidates,
            policy_tokens=int(spent),
            rm_tokens=len(task.rm_tokens) + int(spent),
        )
